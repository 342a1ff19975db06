"""One Prefect task a stage: its name, hints, tags, retries, log and failure are the stage's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from firth.pipeline.execute import Processes, StageError, StageStoppedError, run_stage
from firth.pipeline.place import Place
from firth.pipeline.schedule import Clock, Outcome, State, machine_cores, work_off
from firth.pipeline.worktree import environment

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State as PrefectState
    from prefect.futures import PrefectFuture

RESTORED = "Restored"
UP_TO_DATE = "UpToDate"
EVENT = "firth_event"
"""The log records' attribute by which the terminal tells a stage's own lines from Prefect's."""


def run_stages(place: Place) -> Mapping[str, Outcome]:
    """Every stage of `place` as a task of the current flow run; how each ended.

    Stages that are up to date are shown at once. Where the flow run is cancelled, the stages' process groups are ended
    before this returns.
    """
    processes = Processes()
    spent: dict[str, float] = {}
    futures: dict[str, PrefectFuture[Any]] = {}
    for name in place.graph.stages:
        if name not in place.stale:
            futures[name] = _skipped(place, name).submit(wait_for=_needs(place, name, futures))

    def start(stage: str, done: Callable[[Outcome], None]) -> None:
        future = _work(place, stage, processes, spent).submit(wait_for=_needs(place, stage, futures))
        futures[stage] = future
        future.add_done_callback(lambda ended: done(_outcome(stage, ended, spent.get(stage, 0.0))))

    try:
        outcomes = work_off(place.graph, set(place.stale), start, machine_cores())
        for future in futures.values():
            future.wait()
        return outcomes
    finally:
        processes.stop()


def _needs(place: Place, name: str, futures: Mapping[str, PrefectFuture[Any]]) -> list[PrefectFuture[Any]]:
    return [futures[need] for need in place.graph.stages[name].needs if need in futures]


def _skipped(place: Place, name: str) -> Task[..., Any]:
    from prefect import get_run_logger
    from prefect.states import Completed

    def skip() -> PrefectState[Any]:
        get_run_logger().info("up to date", extra={EVENT: "skip"})
        return Completed(name=UP_TO_DATE, message="outputs are what dvc.lock says")

    return _task(skip, place, name)


def _work(place: Place, name: str, processes: Processes, spent: dict[str, float]) -> Task[..., Any]:
    from prefect import get_run_logger
    from prefect.states import Completed

    hints = place.graph.stages[name].hints
    lasting = False

    def reproduce() -> PrefectState[Any]:
        nonlocal lasting
        clock = Clock()
        logger = get_run_logger()
        logger.info("started", extra={EVENT: "start"})
        own = environment(place.plan.root, place.flow_run)
        try:
            ran = run_stage(
                name,
                place.folder,
                own,
                lambda line: logger.info("%s", line, extra={EVENT: "line"}),
                processes,
                timeout=hints.timeout_seconds,
            )
        except Exception as error:
            lasting = isinstance(error, StageError) and error.lasting
            logger.error("failed after %.1f s", clock.seconds, extra={EVENT: "fail"})  # noqa: TRY400 — Prefect logs why
            raise
        finally:
            spent[name] = spent.get(name, 0.0) + clock.seconds
        logger.info("%s in %.1f s", "done" if ran else "restored", clock.seconds, extra={EVENT: "done"})
        if ran:
            return Completed(message=f"ran for {clock.seconds:.1f} s")
        return Completed(name=RESTORED, message="an earlier run had the same inputs: its outputs are used")

    return _task(
        reproduce,
        place,
        name,
        retries=hints.retries,
        retry_delay_seconds=hints.retry_delay_seconds,
        retry_condition_fn=lambda *_: not processes.stopping and not lasting,
    )


def _task(function: Callable[[], Any], place: Place, name: str, **options: Any) -> Task[..., Any]:
    from prefect import Task
    from prefect.cache_policies import NO_CACHE

    stage = place.graph.stages[name]
    return Task(
        function,
        name=name,
        task_run_name=name,
        description=stage.description or f"dvc repro --single-item {name}",
        tags={f"cores: {stage.hints.cores}", f"memory: {stage.hints.memory_gb:g} GB"},
        cache_policy=NO_CACHE,  # DVC is the cache
        persist_result=False,
        **options,
    )


def _outcome(name: str, future: PrefectFuture[Any], seconds: float) -> Outcome:
    try:
        future.wait()
        state = future.state
        if state.is_completed():
            ended: State = "restored" if state.name == RESTORED else "done"
            return Outcome(name, ended, seconds)
        error = state.result(raise_on_failure=False)
    except BaseException as fault:  # a callback must report whatever ended its task
        error = fault
    stopped = isinstance(error, StageStoppedError)
    return Outcome(name, "stopped" if stopped else "failed", seconds, str(error) or type(error).__name__)
