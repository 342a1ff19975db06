"""Raw text to promoted word vectors: DVC's stages as tasks in a worktree of the clone, then the gate and the report."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from prefect import flow, runtime
from pydantic import Field

from firth.pipeline import finish, form, plan
from firth.pipeline.experiment import name_for
from firth.pipeline.place import workplace
from firth.pipeline.schedule import Clock
from firth.pipeline.tasks import run_stages
from firth.project import find_root
from flows.promote import promote as gate


@flow(name="pipeline", description=__doc__, log_prints=False, persist_result=False)
def pipeline(
    *,
    preset: form.Preset = "as in params.yaml",
    window: Annotated[int, form.count(1, "word2vec: window", 100, "Largest distance of a context word.")] = 0,
    dim: Annotated[int, form.count(2, "word2vec: dim", 4096, "Dimensions of the vectors.")] = 0,
    negatives: Annotated[int, form.count(3, "word2vec: negatives", 50, "Noise words per positive example.")] = 0,
    skipgram_epochs: Annotated[int, form.count(4, "skip-gram: epochs", 1000, "Passes over the corpus.")] = 0,
    skipgram_learning_rate: Annotated[float, form.rate(5, "skip-gram: learning rate", 1.0, "Where it starts.")] = 0.0,
    cbow_epochs: Annotated[int, form.count(6, "CBOW: epochs", 1000, "Passes over the corpus.")] = 0,
    cbow_learning_rate: Annotated[float, form.rate(7, "CBOW: learning rate", 1.0, "Where it starts.")] = 0.0,
    overrides: Annotated[
        list[str], Field(description="Any other parameter, as key=value, such as words.min_count=10.")
    ] = [],  # noqa: B006 — Prefect shows the default in its form
    stages: Annotated[
        list[str], Field(description="Only these stages, such as word2vec@cbow, and what they need. Empty: all.")
    ] = [],  # noqa: B006
    promote: Annotated[bool, Field(description="Offer the trained models to the gate at the end.")] = True,
) -> dict[str, Any]:
    """Run the stages that are not up to date; save a DVC experiment; promote by the policy; render the report."""
    fields = {
        "word2vec.window": window,
        "word2vec.dim": dim,
        "word2vec.negatives": negatives,
        "word2vec.skipgram.epochs": skipgram_epochs,
        "word2vec.skipgram.learning_rate": skipgram_learning_rate,
        "word2vec.cbow.epochs": cbow_epochs,
        "word2vec.cbow.learning_rate": cbow_learning_rate,
    }
    asked = plan.make(find_root(), form.preset_of(preset), form.overrides(fields, overrides), stages)
    name, flow_run = str(runtime.flow_run.name), str(runtime.flow_run.id)
    clock = Clock()
    with workplace(asked, name_for(name, flow_run), flow_run) as place:
        summary = finish.keep(place, run_stages(place))
        runs = finish.track(place)
        models = finish.scored_models(place)
        decisions = gate(models, str(place.folder)) if promote and models else []
        page = finish.render_report(place.folder, runs, decisions, clock.seconds, name)
        summary = replace(summary, decisions=decisions, report=str(page) if page else None)
        finish.publish(summary)
    return asdict(summary)
