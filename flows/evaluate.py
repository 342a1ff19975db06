"""Encoders scored on tasks, in the ways that are asked for, then the gate: what trained models are good for."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from firth.choices import MOST_SEEDS
from firth.config.usages import EncoderName, HeadName, Mode
from firth.pipeline import form, plan
from firth.project import find_root
from flows.pipeline import carry_out


@flow(name="evaluate", description=__doc__, persist_result=False)
def evaluate(
    *,
    tasks: list[str] = [],  # noqa: B006 — the form shows a default as it is written here
    encoders: list[EncoderName] = [],  # noqa: B006
    modes: list[Mode] = [],  # noqa: B006
    heads: list[HeadName] = [],  # noqa: B006
    protocol: form.Protocol = "as in params.yaml",
    seeds: Annotated[int, Field(ge=0, le=MOST_SEEDS)] = 0,
    epochs: form.Epochs = 0,
    learning_rate: form.LearningRate = 0.0,
    train_examples: Annotated[int, Field(ge=0, le=form.MOST_EXAMPLES)] = 0,
    ensemble: bool = False,
    overrides: list[str] = [],  # noqa: B006
    promote: bool = True,
) -> dict[str, Any]:
    """Run the tasks that are not up to date, and what they need; save a DVC experiment; promote by the policy.

    Args:
        tasks: Names of tasks in params.yaml, such as snippets. Empty: all, the word tasks and the report, too.
        encoders: evaluation.encoders: which stand side by side. Empty: as in params.yaml.
        modes: evaluation.modes: frozen, finetuned; the gate reads the first. Empty: as in params.yaml.
        heads: evaluation.heads: linear, bilstm; the gate reads the first. Empty: as in params.yaml.
        protocol: evaluation.protocol: sane is one setting and the median of the seeds, paper a grid and its best run.
        seeds: evaluation.seeds: that many, from 1 on. 0: as in params.yaml.
        epochs: evaluation.finetuning.epochs; the protocol sane has 5 at most. 0: as in params.yaml.
        learning_rate: evaluation.finetuning.learning_rate: the highest, after the warm-up. 0: as in params.yaml.
        train_examples: Most examples of each of the tasks to learn from. 0: as in params.yaml.
        ensemble: evaluation.ensemble: one more row, of the mean outputs of the fine-tuned models of all seeds.
        overrides: Any other parameter, as key=value, such as evaluation.layers=concat4.
        promote: Let the gate decide at the end, where every suite that it asks for was scored.
    """
    root = find_root()
    names = form.tasks_of(root, tasks)
    fields = {
        "evaluation.encoders": list(encoders),
        "evaluation.modes": list(modes),
        "evaluation.heads": list(heads),
        "evaluation.protocol": protocol,
        "evaluation.seeds": list(range(1, seeds + 1)),
        "evaluation.finetuning.epochs": epochs,
        "evaluation.finetuning.learning_rate": learning_rate,
        **{f"tasks.{name}.train_examples": train_examples for name in names},
        "evaluation.ensemble": ensemble,
    }
    stages = [f"tasks@{name}" for name in names] if tasks else []
    return carry_out(plan.make(root, None, form.overrides(fields, overrides), stages), promote)
