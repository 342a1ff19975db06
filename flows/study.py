"""A study of BERT's pretraining: trainings that differ in one thing, measured on the same held-out words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import flow, runtime
from pydantic import Field

from firth.errors import FirthError
from firth.pipeline import form
from firth.pipeline import study as studies
from firth.pipeline.finish import RunFailedError, say
from firth.pipeline.studies import Name
from firth.project import find_root


@flow(name="cell", flow_run_name="{title}", persist_result=False)
def cell(
    title: str,
    study_name: str,
    preset: str | None,
    overrides: list[str],
    output: str,
    cell_name: str,
    seed: int,
    key: str,
) -> dict[str, Any]:
    """One training of a study: up to the stage `bert`, then measured; its record."""
    say(title)
    asked = studies.Asked(find_root(), study_name, preset, tuple(overrides), output=output)
    return studies.make(asked, cell_name, seed, key, str(runtime.flow_run.id))


@flow(name="study", description=__doc__, persist_result=False)
def study(
    *,
    name: Name = "masking-rate",
    preset: form.Preset = "as in params.yaml",
    bert_size: form.Size = "as in params.yaml",
    bert_steps: form.Steps = 0,
    overrides: list[str] = [],  # noqa: B006 — the form shows a default as it is written here
    seeds: Annotated[int, Field(ge=1, le=100)] = 1,
    output: str = "",
) -> dict[str, Any]:
    """Train what is not there yet, each cell as a DVC experiment with its MLflow run, and compare all in one page.

    Args:
        name: Which study.
        preset: Start from params.yaml as it is, or from a preset.
        bert_size: bert.size: layers and width, from tiny (2 x 128) and mini (4 x 256) to large (24 x 1024).
        bert_steps: bert.steps: optimizer steps; more than bert.optimizer.warmup_steps. 0: as in params.yaml.
        overrides: Any other parameter that all trainings share, as key=value, such as bert.batch=8.
        seeds: Trainings of each cell, with seeds from bert.seed on. Nothing can be claimed of one.
        output: Folder for results and page, from the project folder. Empty: .firth/studies and the study's name.
    """
    fields = {"bert.size": bert_size, "bert.steps": bert_steps}
    own = form.overrides(fields, overrides)
    asked = studies.Asked(find_root(), name, form.preset_of(preset), tuple(own), seeds, output)
    records, failed = [], []
    wanted = studies.runs(asked)
    for number, run in enumerate(wanted):
        title = f"{name}, {number + 1} of {len(wanted)}: {run.title}"
        found = run.found()
        if found is not None:
            say(f"{title}: is there")
            records.append(found)
            continue
        try:
            records.append(cell(title, name, asked.preset, own, output, run.cell.name, run.seed, run.key))
        except RunFailedError as error:
            if any(outcome.state == "stopped" for outcome in error.outcomes.values()):
                raise
            failed.append(f"{run.title}: {error}")
    if failed:
        raise FirthError(
            "\n".join(failed)
            + f"\n{len(failed)} of {len(wanted)} trainings failed; the same command keeps those that are there"
        )
    page = studies.conclude(asked, records)
    publish(page)
    return {"page": str(page), "trained": len(records), "folder": str(asked.folder)}


def publish(page: Path) -> None:
    """The page's address as an artifact of the flow run."""
    from prefect.artifacts import create_link_artifact

    create_link_artifact(page.as_uri(), key="study", link_text=str(page), description="The study's page. Paste it.")
