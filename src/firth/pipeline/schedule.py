"""Which stage may start now: dependencies first, side by side while their cores fit."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from firth.pipeline.graph import Graph

State = Literal["up to date", "restored", "done", "failed", "stopped", "not run"]


@dataclass(frozen=True)
class Outcome:
    """How one stage ended, after how many seconds."""

    stage: str
    state: State
    seconds: float = 0.0
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether its outputs are what `dvc.lock` says."""
        return self.state in {"up to date", "restored", "done"}


class Start(Protocol):
    """Starts a stage without waiting for it; `done` is called with the outcome, from any thread."""

    def __call__(self, stage: str, done: Callable[[Outcome], None]) -> None: ...


@dataclass
class _Board:
    graph: Graph
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)

    def blocked(self, name: str) -> bool:
        return any(need in self.outcomes and not self.outcomes[need].good for need in self.graph.stages[name].needs)

    def ready(self, name: str) -> bool:
        return all(need in self.outcomes for need in self.graph.stages[name].needs)


def machine_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work_off(graph: Graph, stale: set[str], start: Start, cores: int) -> Mapping[str, Outcome]:
    """Start each stale stage when all it needs is there and its cores fit beside those at work; the outcomes.

    A stage that hints at more cores than there are runs alone. One failure starts nothing that needs it; what does not
    need it goes on.
    """
    board = _Board(graph)
    ended: queue.Queue[Outcome] = queue.Queue()
    busy: dict[str, int] = {}
    while len(board.outcomes) < len(graph.stages):
        for name, stage in graph.stages.items():
            if name in board.outcomes or name in board.started or not board.ready(name):
                continue
            if board.blocked(name):
                board.outcomes[name] = Outcome(name, "not run", error="a stage that it needs failed")
            elif name not in stale:
                board.outcomes[name] = Outcome(name, "up to date")
            else:
                wanted = min(stage.hints.cores, cores)
                if sum(busy.values()) + wanted <= cores:
                    board.started.add(name)
                    busy[name] = wanted
                    start(name, ended.put)
        if busy and len(board.outcomes) < len(graph.stages):
            outcome = ended.get()
            board.outcomes[outcome.stage] = outcome
            del busy[outcome.stage]
    return {name: board.outcomes[name] for name in graph.stages}


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Elapsed time."""
        return time.monotonic() - self._start
