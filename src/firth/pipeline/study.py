"""A study as runs of the pipeline: which are to be made, which are there already, and what they came to together.

Each run trains one cell under one seed up to the stage `bert`, in a worktree of its own, and ends as a DVC experiment
and as one MLflow run. It leaves a record in the study's folder. A record is known by all that its figures depend on:
parameters, sources, stages. What has one is not made again; of what has none, DVC restores what it ran before,
and a training that was broken off goes on from its checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from firth.canonical import read_json, value_sha256, write_json
from firth.config.evaluation import GateModel
from firth.errors import ConfigError, FirthError, IntegrityError
from firth.pipeline import finish, plan
from firth.pipeline.experiment import name_for
from firth.pipeline.git import git
from firth.pipeline.place import Place, workplace
from firth.pipeline.snapshot import take
from firth.pipeline.studies import Cell, Study, find
from firth.pipeline.study_results import RESULTS, results
from firth.pipeline.tasks import run_stages
from firth.project import state_folder

STAGE: GateModel = "bert"


@dataclass(frozen=True)
class Asked:
    """What a study is made with: on top of params.yaml or a preset, `overrides`; seeds from `bert.seed` on."""

    root: Path
    name: str
    preset: str | None = None
    overrides: tuple[str, ...] = ()
    seeds: int = 1
    output: str = ""

    @property
    def study(self) -> Study:
        """What is compared."""
        return find(self.name)

    @property
    def folder(self) -> Path:
        """Where records, results and page go."""
        return self.root / self.output if self.output else state_folder(self.root) / "studies" / self.name


@dataclass(frozen=True)
class Run:
    """One cell under one seed."""

    cell: Cell
    seed: int
    plan: plan.Plan
    key: str
    record: Path

    @property
    def title(self) -> str:
        """As the terminal shows it."""
        return f"{self.cell.name}, seed {self.seed}"

    def found(self) -> dict[str, Any] | None:
        """Its record, where one of these very settings and sources is there."""
        if not self.record.is_file():
            return None
        try:
            kept: dict[str, Any] = read_json(self.record)
        except IntegrityError:  # torn: the run is made again
            return None
        return kept if kept.get("key") == self.key else None


def shared(asked: Asked) -> plan.Plan:
    """What all cells have in common.

    Raises `ConfigError` naming a parameter that is wrong, or that is the study's own to change.
    """
    for override in asked.overrides:
        key = override.partition("=")[0].strip()
        if key in asked.study.keys | {"bert.seed"}:
            how = "give --seeds" if key == "bert.seed" else f"it is what the study {asked.name} compares"
            raise ConfigError(f"--set {override}: {key} is not yours to set here: {how}")
    found = plan.make(asked.root, asked.preset, asked.overrides, [])
    if found.params.bert.minutes:
        raise ConfigError("bert.minutes: trainings that end by the clock read unlike amounts of text; set bert.steps")
    return found


def runs(asked: Asked) -> list[Run]:
    """Every run of the study, seeds outermost, so that an interrupted one has whole comparisons to show."""
    first, sources = shared(asked).params.bert.seed, _sources(asked.root)
    seeds = range(first, first + asked.seeds)
    return [_run(asked, cell, seed, sources) for seed in seeds for cell in asked.study.cells]


def _run(asked: Asked, cell: Cell, seed: int, sources: Sequence[str]) -> Run:
    own = [*asked.overrides, *cell.overrides, f"bert.seed={seed}"]
    # A cell is always apart from the clone, also where it trains with the clone's own parameters.
    made = replace(plan.make(asked.root, asked.preset, own, []), changed=True, targets=(STAGE,))
    measures = [asdict(measure) for measure in asked.study.measures]
    key = value_sha256({"params": made.params.model_dump(mode="json"), "of": sources, "measures": measures})
    return Run(cell, seed, made, key, asked.folder / "cells" / f"{_plain(cell.name)}-seed{seed}.json")


def _sources(root: Path) -> list[str]:
    """What Git calls the sources and the stages as they are now, committed or not."""
    tree = take(root).tree
    return [git(root, "rev-parse", f"{tree}:{name}").decode().strip() for name in ("src", "dvc.yaml")]


def make(asked: Asked, cell: str, seed: int, key: str, flow_run: str) -> dict[str, Any]:
    """Train a cell under one seed, keep it as an experiment, measure it; its record.

    Raises:
        RunFailedError: (of `firth.pipeline.finish`) a stage failed; the next attempt goes on from there.
        FirthError: the clone is no longer what `key` was made of.
    """
    (wanted,) = (each for each in asked.study.cells if each.name == cell)
    run = _run(asked, wanted, seed, _sources(asked.root))
    if run.key != key:
        raise FirthError("sources or parameters were changed while the study was at work; start it again")
    with workplace(run.plan, name_for(f"{asked.name} {run.record.stem}", flow_run), flow_run) as place:
        summary = finish.keep(place, run_stages(place))
        record = _record(asked, run, place) | {"experiment": summary.run, "commit": summary.experiment}
    write_json(run.record, record)
    return record


def conclude(asked: Asked, records: Sequence[Mapping[str, Any]]) -> Path:
    """Write `results.json` and the page out of the records of all runs; the page."""
    from firth.report.study import write_page

    common = shared(asked)
    found = results(asked.name, asked.study, records, list(common.changes), asked.preset)
    write_json(asked.folder / RESULTS, found)
    return write_page(asked.folder, found)


def _record(asked: Asked, run: Run, place: Place) -> dict[str, Any]:
    from firth.tracking.reconcile import reconcile

    training = read_json(place.folder / "data" / "models" / STAGE / "training.json")
    tags = {f"firth.study.{asked.name}": run.cell.name, "firth.seed": str(run.seed)}
    (tracked,) = reconcile(place.folder, models=[STAGE], tags=tags)
    return {
        "key": run.key,
        "study": asked.name,
        "cell": run.cell.name,
        "changes": dict(run.cell.changes),
        "seed": run.seed,
        "fingerprint": training["fingerprint"],
        "mlflow_run": tracked.run_id,
        "steps": training["steps"],
        "tokens": training["tokens"],
        "measured": measure(asked, run, place.folder),
    }


def measure(asked: Asked, run: Run, folder: Path) -> dict[str, Any]:
    """`{measure: {"positions", "loss", "unigram", "accuracy"} or null}` of the model that lies in `folder`."""
    from firth.bert.pretraining.hidden import hidden_words
    from firth.bert.pretraining.loop import HELDOUT_SEED
    from firth.encode.load import load_model
    from firth.wordpiece.store import TokenStore

    common = shared(asked).params.bert
    bert, store = load_model(folder / "data" / "models" / STAGE), TokenStore.open(folder / "data" / "tokens" / "pieces")
    causal = run.plan.params.bert.objective == "left_to_right"
    found = {}
    for each in asked.study.measures:
        hidden = hidden_words(bert, store, each.settings(common), HELDOUT_SEED, causal)
        found[each.key] = None if hidden is None else asdict(hidden)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
