"""Where a run works: the clone itself when nothing is stale, else a worktree of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from firth.pipeline import worktree
from firth.pipeline.graph import Graph, Project
from firth.pipeline.plan import Plan
from firth.pipeline.snapshot import Snapshot, take
from firth.project import STATE_VARIABLE, state_folder


@dataclass(frozen=True)
class Place:
    """A folder with the run's sources and parameters, its graph, and the stages that have to run there."""

    plan: Plan
    run: str
    flow_run: str
    folder: Path
    graph: Graph
    stale: frozenset[str]
    start: Snapshot | None  # the clone as the run found it; None where the run works in the clone and changes nothing

    @property
    def apart(self) -> bool:
        """Whether the run has a worktree of its own."""
        return self.start is not None


@contextmanager
def workplace(plan: Plan, run: str, flow_run: str) -> Iterator[Place]:
    """The place of run `run`; a worktree is removed afterwards, unless the run failed: then one may look at it.

    While it lasts, this process too finds the clone's state through `FIRTH_STATE`.
    """
    with ExitStack() as stack:
        stack.enter_context(_state_of(plan.root))
        if not plan.changed:
            graph, stale = _look(plan.root, plan)
            if not stale:
                yield Place(plan, run, flow_run, plan.root, graph, frozenset(), None)
                return
        stack.enter_context(worktree.running(plan.root, run))
        start = take(plan.root)
        try:
            folder = worktree.create(plan.root, run, start, plan.params_text, plan.params)
            graph, stale = _look(folder, plan)
            yield Place(plan, run, flow_run, folder, graph, frozenset(stale), start)
        except Exception:
            raise
        except BaseException:
            worktree.remove(plan.root, run)
            raise
        worktree.remove(plan.root, run)


def _look(folder: Path, plan: Plan) -> tuple[Graph, set[str]]:
    with Project(folder) as project:
        graph = project.graph().select(plan.targets)
        return graph, project.stale(graph)


@contextmanager
def _state_of(root: Path) -> Iterator[None]:
    before = os.environ.get(STATE_VARIABLE)
    os.environ[STATE_VARIABLE] = str(state_folder(root))
    try:
        yield
    finally:
        if before is None:
            del os.environ[STATE_VARIABLE]
        else:
            os.environ[STATE_VARIABLE] = before
