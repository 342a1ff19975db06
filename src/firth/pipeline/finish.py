"""After the stages: the experiment, the clone's outputs, MLflow's runs, the final page, the flow run's artifacts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firth.errors import FirthError
from firth.pipeline import experiment
from firth.pipeline.place import Place
from firth.pipeline.schedule import Outcome
from firth.pipeline.scores import markdown, scores
from firth.pipeline.tasks import EVENT


@dataclass(frozen=True)
class Summary:
    """What a run came to, in plain values."""

    run: str
    outcomes: list[dict[str, Any]]
    applied: bool  # whether the clone now holds the run's results
    experiment: str | None  # the commit of the DVC experiment of the same name as the run
    scores: dict[str, dict[str, str]] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    report: str | None = None


class RunFailed(FirthError):
    """Stages failed; the message is theirs. `outcomes` says how every stage ended."""

    def __init__(self, outcomes: Mapping[str, Outcome], note: str = "") -> None:
        self.outcomes = dict(outcomes)
        bad = [outcome for outcome in outcomes.values() if outcome.state in {"failed", "stopped"}]
        super().__init__("\n".join(f"{outcome.stage}: {outcome.error}" for outcome in bad) + note)


def keep(place: Place, outcomes: Mapping[str, Outcome]) -> Summary:
    """Save the run as an experiment and, where it changed no parameter, bring its results to the clone.

    Stages that did end well before another failed are brought home too, as `dvc repro` would have left them. Raises
    `RunFailed` where a stage failed.
    """
    worked = [name for name, outcome in outcomes.items() if outcome.state in {"done", "restored"}]
    good = all(outcome.good for outcome in outcomes.values())
    applied = not place.plan.changed
    saved: str | None = None
    if place.start is not None:
        if good and (worked or place.plan.changed):
            saved = experiment.save(place.plan.root, place.folder, place.run)
        if not place.plan.changed:
            touched = [name for name, outcome in outcomes.items() if outcome.good] if good else worked
            applied = experiment.bring_home(place.plan.root, place.folder, place.start, touched)
    if not good:
        raise RunFailed(outcomes, f"\n(the run's folder is kept until `firth gc`: {place.folder})" if place.apart else "")
    if saved and not applied:
        how = f"dvc exp apply {place.run}"
        why = "it changed parameters" if place.plan.changed else "the clone has changed meanwhile"
        _say(f"kept as experiment {place.run}, not applied, because {why}: {how}")
    return Summary(place.run, [asdict(outcome) for outcome in outcomes.values()], applied, saved, scores(place.folder))


def track(place: Place) -> list[dict[str, Any]]:
    """See to it that each model of the run has its MLflow run: a stage restored from the cache has none yet."""
    from firth.tracking import reconcile

    return [asdict(each) for each in reconcile.reconcile(place.folder)]


def publish(summary: Summary, report: Path | None) -> None:
    """The flow run's artifacts: a table of stages, a table of scores, the page's address."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact

    rows = [
        f"| {each['stage']} | {each['state']} | {each['seconds']:.1f} |" for each in summary.outcomes
    ]
    stages = "\n".join(["| stage | state | seconds |", "|---|---|---:|", *rows])
    found = markdown(summary.scores) if summary.scores else "No scores yet."
    kept = f"\n\nExperiment `{summary.run}`: `dvc exp apply {summary.run}`." if summary.experiment else ""
    create_markdown_artifact(
        f"# Scores\n\n{found}\n\n# Stages\n\n{stages}{kept}", key="scores", description="Scores with 95% intervals"
    )
    if report is not None:
        create_link_artifact(report.as_uri(), key="report", link_text=report.name, description="The HTML report")


def _say(text: str) -> None:
    from prefect import get_run_logger

    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = get_run_logger()
    logger.info("%s", text, extra={EVENT: "note"})
