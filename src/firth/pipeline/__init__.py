"""DVC's graph as Prefect tasks: a worktree a run, one task a stage, an experiment at the end. The only importer of DVC."""
