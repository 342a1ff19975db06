"""After the stages: the experiment, the clone's outputs, MLflow's runs, the final page, the flow run's artifacts."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firth.canonical import file_sha256, read_json, write_json
from firth.config.evaluation import GateModel
from firth.errors import FirthError
from firth.pipeline import experiment, services
from firth.pipeline.place import Place
from firth.pipeline.schedule import Outcome
from firth.pipeline.scores import markdown, tables
from firth.pipeline.tasks import EVENT
from firth.project import state_folder
from firth.tracking.evidence import stage_that_measures
from firth.tracking.provenance import git_state
from firth.tracking.store import URI_VARIABLE
from firth.tracking.trained import is_trained, stage_of


@dataclass(frozen=True)
class Summary:
    """What a run came to, in plain values."""

    run: str
    outcomes: list[dict[str, Any]]
    applied: bool  # whether the clone now holds the run's results
    experiment: str | None  # the commit of the DVC experiment of the same name as the run
    scores: list[dict[str, Any]] = field(default_factory=list)  # tables of `firth.pipeline.scores`
    decisions: list[dict[str, Any]] = field(default_factory=list)
    report: str | None = None


class RunFailedError(FirthError):
    """Stages failed; the message is theirs. `outcomes` says how every stage ended."""

    def __init__(self, outcomes: Mapping[str, Outcome]) -> None:
        self.outcomes = dict(outcomes)
        bad = [outcome for outcome in outcomes.values() if outcome.state in {"failed", "stopped"}]
        super().__init__("\n".join(f"{outcome.stage}: {outcome.error}" for outcome in bad))


def keep(place: Place, outcomes: Mapping[str, Outcome]) -> Summary:
    """Save the run as an experiment and, where it changed no parameter, bring its results to the clone.

    Stages that did end well before another failed are brought home too, as `dvc repro` would have left them. Raises
    `RunFailedError` where a stage failed.
    """
    worked = [name for name, outcome in outcomes.items() if outcome.state in {"done", "restored"}]
    good = all(outcome.good for outcome in outcomes.values())
    applied = not place.plan.changed
    saved: str | None = None
    if place.start is not None:
        if good and (worked or place.plan.changed):
            some = list(place.graph.stages) if place.plan.targets else []
            saved = experiment.save(place.plan.root, place.folder, place.run, some)
        if not place.plan.changed:
            touched = [name for name, outcome in outcomes.items() if outcome.good] if good else worked
            applied = experiment.bring_home(place.plan.root, place.folder, place.start, touched)
    if not good:
        if place.apart:
            say(f"the run's folder is kept until `firth gc`: {place.folder}")
        raise RunFailedError(outcomes)
    if saved and not applied:
        how = f"dvc exp apply {place.run}"
        why = "it changed parameters" if place.plan.changed else "the clone has changed meanwhile"
        say(f"kept as experiment {place.run}, not applied, because {why}: {how}")
    found = [asdict(table) for table in tables(place.folder)]
    return Summary(place.run, [asdict(outcome) for outcome in outcomes.values()], applied, saved, found)


def track(place: Place) -> dict[str, list[dict[str, Any]]]:
    """MLflow's `runs` of the models, made where a stage was restored from the cache, and `evaluations`, where known."""
    from firth.tracking import evaluations, reconcile

    return {
        "runs": [asdict(each) for each in reconcile.reconcile(place.folder)],
        "evaluations": [asdict(each) for each in evaluations.recorded(place.folder)],
    }


def scored_models(place: Place) -> list[GateModel]:
    """Models that the gate can decide about: offered, trained, and measured in this run on all that it asks for."""
    gate = place.plan.params.gate
    return [
        model
        for model in gate.models
        if is_trained(place.folder, model)
        and {stage_of(model), *(stage_that_measures(suite, model) for suite in gate.policy(model).suites)}
        <= set(place.graph.stages)
    ]


def render_run(
    place: Place,
    summary: Summary,
    tracked: Mapping[str, Sequence[Mapping[str, Any]]],
    decisions: Sequence[Mapping[str, Any]],
    took: float,
) -> Path | None:
    """The page of a run that took `took` seconds, with what `track` found; None where there is no report yet.

    A run whose results are in the clone writes the page of the clone, `.firth/report/index.html`, and notes for
    `render_report` what it knows; another writes `.firth/report/<run>.html` and leaves the clone's alone.
    """
    if not (place.folder / "data" / "report" / "report.json").is_file():
        return None
    known = {**tracked, "decisions": list(decisions), "seconds": took, "flow_run": summary.run}
    folder = state_folder(place.plan.root) / "report"
    if summary.applied:
        write_json(folder / "run.json", known | {"lock": _lock_digest(place.plan.root)})
        return _render(place.folder, known, folder / "index.html", place.plan.root / "data")
    return _render(place.folder, known, folder / f"{summary.run}.html", place.plan.root / "data")


def render_report(root: Path) -> Path:
    """The clone's page once more, from its outputs and from what the run that made them noted."""
    note = state_folder(root) / "report" / "run.json"
    held = read_json(note) if note.is_file() else {}
    known = held if held.get("lock") == _lock_digest(root) else {}
    return _render(root, known, state_folder(root) / "report" / "index.html", root / "data")


def _render(folder: Path, known: Mapping[str, Any], page: Path, data: Path) -> Path:
    from firth.report import final

    evaluations = known.get("evaluations", [])
    tracker = _tracker_pages(data.parent) if known.get("runs") or evaluations else None
    git = git_state(folder)
    return final.render(
        folder,
        runs=[_run(each, tracker) for each in known.get("runs", [])],
        evaluations=[{**each, "url": _address(each, tracker)} for each in evaluations],
        decisions=known.get("decisions", []),
        commit=git["commit"],
        dirty=git["dirty"],
        seconds=known.get("seconds"),
        flow_run=known.get("flow_run"),
        page=page,
        data=data,
    )


def _run(each: Mapping[str, Any], tracker: str | None) -> dict[str, Any]:
    """A training's run as the page wants it: what it came to, and its page in the tracker."""
    ends = {name: value for name, value in each["metrics"].items() if not name.startswith("train/")}
    own = {key: each[key] for key in ("stage", "run_id", "experiment_id", "seconds")}
    return {**own, "metrics": ends, "url": _address(each, tracker)}


def _address(each: Mapping[str, Any], tracker: str | None) -> str | None:
    return f"{tracker}/#/experiments/{each['experiment_id']}/runs/{each['run_id']}" if tracker else None


def _tracker_pages(root: Path) -> str | None:
    """Where the tracker's pages are; None where it is a file and no server of `firth up` shows it."""
    named = os.environ.get(URI_VARIABLE) or services.environment(root).get(URI_VARIABLE, "")
    return named.rstrip("/") if named.startswith(("http://", "https://")) else None


def publish(place: Place, summary: Summary) -> None:
    """The flow run's artifacts: the scores with what explains them, and the page's address."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact

    create_markdown_artifact(
        overview(place.plan.changes, summary), key="scores", description="Scores with 95% intervals; stages; decisions"
    )
    if summary.report is not None:
        description = "The HTML report. A browser follows no link from here to a file: paste the address."
        create_link_artifact(
            Path(summary.report).as_uri(), key="report", link_text=summary.report, description=description
        )


def overview(changes: Sequence[str], summary: Summary) -> str:
    """A run in Markdown: scores, changed parameters, the gate's decisions, stages."""
    parts = ["## Scores", markdown(summary.scores) if summary.scores else "No scores yet."]
    if changes:
        parts += ["## Changed parameters", "\n".join(f"- `{change}`" for change in changes)]
    if summary.decisions:
        parts += ["## Gate", "\n".join(_decision(each) for each in summary.decisions)]
    if summary.experiment:
        parts.append(f"Experiment `{summary.run}`: `dvc exp apply {summary.run}`.")
    rows = [
        f"| {each['stage']} | {each['state']} | {each['seconds']:.1f} |"
        if each["state"] in {"done", "restored"}
        else f"| {each['stage']} | {each['state']} | |"
        for each in summary.outcomes
    ]
    parts += ["## Stages", "\n".join(["| stage | state | seconds |", "|---|---|---:|", *rows])]
    return "\n\n".join(parts)


def _decision(each: Mapping[str, Any]) -> str:
    champion = f"version {each['champion']}" if each["champion"] else "none"
    reasons = "; ".join(each["reasons"])
    return f"- **{each['name']}** version {each['version']}: **{each['verdict']}** ({reasons}). Champion: {champion}."


def _lock_digest(folder: Path) -> str:
    lock = folder / "dvc.lock"
    return file_sha256(lock) if lock.is_file() else ""


def say(text: str) -> None:
    """A line of the flow run's log that a foreground run shows too."""
    from prefect import get_run_logger

    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = get_run_logger()
    logger.info("%s", text, extra={EVENT: "note"})
