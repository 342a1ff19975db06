"""DVC's graph as Prefect tasks: a worktree a run, a task a stage, an experiment at the end. Only here DVC is known."""
