"""Raw text to promoted word vectors and BERT: DVC's stages as tasks in a worktree, then the gate and the report."""

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


@flow(name="pipeline", description=__doc__, persist_result=False)
def pipeline(
    *,
    preset: form.Preset = "as in params.yaml",
    window: Annotated[int, Field(ge=0, le=100)] = 0,
    dim: Annotated[int, Field(ge=0, le=4096)] = 0,
    negatives: Annotated[int, Field(ge=0, le=50)] = 0,
    skipgram_epochs: form.Epochs = 0,
    skipgram_learning_rate: form.LearningRate = 0.0,
    cbow_epochs: form.Epochs = 0,
    cbow_learning_rate: form.LearningRate = 0.0,
    bert_size: form.Size = "as in params.yaml",
    bert_steps: form.Steps = 0,
    bert_batch: Annotated[int, Field(ge=0, le=65_536)] = 0,
    bert_learning_rate: form.LearningRate = 0.0,
    overrides: list[str] = [],  # noqa: B006 — the form shows a default as it is written here
    stages: list[str] = [],  # noqa: B006
    promote: bool = True,
) -> dict[str, Any]:
    """Run the stages that are not up to date; save a DVC experiment; promote by the policy; render the report.

    Args:
        preset: Start from params.yaml as it is, or from a preset.
        window: word2vec.window: largest distance of a context word. 0: as in params.yaml.
        dim: word2vec.dim: dimensions of the vectors. 0: as in params.yaml.
        negatives: word2vec.negatives: noise words per positive example. 0: as in params.yaml.
        skipgram_epochs: word2vec.skipgram.epochs: passes over the corpus. 0: as in params.yaml.
        skipgram_learning_rate: word2vec.skipgram.learning_rate: where the learning rate starts. 0: as in params.yaml.
        cbow_epochs: word2vec.cbow.epochs: passes over the corpus. 0: as in params.yaml.
        cbow_learning_rate: word2vec.cbow.learning_rate: where the learning rate starts. 0: as in params.yaml.
        bert_size: bert.size: layers and width, from tiny (2 x 128) and mini (4 x 256) to large (24 x 1024).
        bert_steps: bert.steps: optimizer steps; more than bert.optimizer.warmup_steps. 0: as in params.yaml.
        bert_batch: bert.batch: sequences in a step. 0: as in params.yaml.
        bert_learning_rate: bert.optimizer.learning_rate: the highest, after the warm-up. 0: as in params.yaml.
        overrides: Any other parameter, as key=value, such as words.min_count=10.
        stages: Only these stages, such as word2vec@cbow or bert, and what they need. Empty: all.
        promote: Let the gate decide at the end whether the trained models become champions.
    """
    fields = {
        "word2vec.window": window,
        "word2vec.dim": dim,
        "word2vec.negatives": negatives,
        "word2vec.skipgram.epochs": skipgram_epochs,
        "word2vec.skipgram.learning_rate": skipgram_learning_rate,
        "word2vec.cbow.epochs": cbow_epochs,
        "word2vec.cbow.learning_rate": cbow_learning_rate,
        "bert.size": bert_size,
        "bert.steps": bert_steps,
        "bert.batch": bert_batch,
        "bert.optimizer.learning_rate": bert_learning_rate,
    }
    asked = plan.make(find_root(), form.preset_of(preset), form.overrides(fields, overrides), stages)
    return carry_out(asked, promote)


def carry_out(asked: plan.Plan, promote: bool) -> dict[str, Any]:
    """What every flow of stages does, as the flow run that is under way."""
    name, flow_run = str(runtime.flow_run.name), str(runtime.flow_run.id)
    clock = Clock()
    with workplace(asked, name_for(name, flow_run), flow_run) as place:
        summary = finish.keep(place, run_stages(place))
        tracked = finish.track(place)
        models = finish.scored_models(place)
        decisions = gate(models, str(place.folder), 0.0) if promote and models else []
        page = finish.render_run(place, summary, tracked, decisions, clock.seconds)
        summary = replace(summary, decisions=decisions, report=str(page) if page else None)
        finish.publish(place, summary)
    return asdict(summary)
