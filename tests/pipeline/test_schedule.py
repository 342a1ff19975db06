"""Which stage starts when: dependencies first, cores respected, failures contained."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from firth.pipeline.graph import Graph, Hints, Stage
from firth.pipeline.schedule import Outcome, work_off


class Bench:
    """Ends stages at random, in threads, and keeps what went on."""

    def __init__(self, graph: Graph, failing: set[str], seed: int, stale: set[str] | None = None) -> None:
        self.stale = set(graph.stages) if stale is None else stale
        self.graph, self.failing, self.random = graph, failing, random.Random(seed)
        self.running: set[str] = set()
        self.order: list[str] = []
        self.most_cores = self.most_running = 0

    def start(self, stage: str, done: Callable[[Outcome], None]) -> None:
        assert not self.running & set(self.graph.stages[stage].needs)
        assert all(need in self.order for need in self.graph.stages[stage].needs if need in self.stale)
        self.order.append(stage)
        self.running.add(stage)
        self.most_running = max(self.most_running, len(self.running))
        self.most_cores = max(self.most_cores, sum(self.graph.stages[name].hints.cores for name in self.running))

        def end() -> None:
            self.running.discard(stage)
            done(Outcome(stage, "failed" if stage in self.failing else "done"))

        threading.Timer(self.random.random() / 500, end).start()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    stages = {}
    for index, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        stages[name] = Stage(name, tuple(needs), Hints(cores=draw(st.integers(1, 3))))
    return Graph(stages)


@given(graphs(), st.integers(1, 4), st.data())
def test_every_stage_runs_once_in_order_within_the_cores(graph: Graph, cores: int, data: st.DataObject) -> None:
    failing = set(data.draw(st.lists(st.sampled_from(list(graph.stages)), max_size=2)))
    bench = Bench(graph, failing, seed=1)

    outcomes = work_off(graph, set(graph.stages), bench.start, cores)

    for name, outcome in outcomes.items():
        needs_failed = any(not outcomes[need].good for need in graph.stages[name].needs)
        assert outcome.state == ("not run" if needs_failed else "failed" if name in failing else "done")
        assert (name in bench.order) == (outcome.state != "not run")
    assert len(bench.order) == len(set(bench.order))
    assert bench.most_running == 1 or bench.most_cores <= cores


def fan(**cores: int) -> Graph:
    return Graph({name: Stage(name, (), Hints(cores=number)) for name, number in cores.items()})


def test_independent_stages_run_side_by_side() -> None:
    met = threading.Barrier(2)

    def start(stage: str, done: Callable[[Outcome], None]) -> None:
        def work() -> None:
            met.wait(30)
            done(Outcome(stage, "done"))

        threading.Thread(target=work).start()

    outcomes = work_off(fan(a=1, b=1), {"a", "b"}, start, cores=2)
    assert [outcome.state for outcome in outcomes.values()] == ["done", "done"]


def test_a_stage_that_wants_more_than_there_is_runs_alone() -> None:
    graph = fan(a=8, b=1)
    bench = Bench(graph, set(), seed=2)
    work_off(graph, {"a", "b"}, bench.start, cores=2)
    assert bench.most_running == 1


def test_a_pretraining_has_both_cores_of_a_small_machine_for_itself() -> None:
    """As dvc.yaml hints: `bert` and each task keep two cores busy; one core is enough, one after another."""
    graph = Graph(
        {
            "bert": Stage("bert", (), Hints(cores=2)),
            "word2vec": Stage("word2vec", (), Hints(cores=1)),
            "tasks@a": Stage("tasks@a", ("bert", "word2vec"), Hints(cores=2)),
            "tasks@b": Stage("tasks@b", ("bert", "word2vec"), Hints(cores=2)),
        }
    )
    for cores, abreast in ((1, 1), (2, 1), (4, 2)):
        bench = Bench(graph, set(), seed=4)
        outcomes = work_off(graph, set(graph.stages), bench.start, cores)
        assert {outcome.state for outcome in outcomes.values()} == {"done"}
        assert bench.most_running <= abreast


def test_what_is_up_to_date_is_not_started() -> None:
    graph = Graph({"a": Stage("a", (), Hints()), "b": Stage("b", ("a",), Hints())})
    bench = Bench(graph, set(), seed=3, stale={"b"})
    outcomes = work_off(graph, {"b"}, bench.start, cores=1)
    assert [outcome.state for outcome in outcomes.values()] == ["up to date", "done"]
    assert bench.order == ["b"]
