"""`firth evaluate`: in which ways encoders are measured, by options, params.yaml and the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from firth.commands.addresses import folder_of, root_or_none
from firth.commands.task_examples import refusal
from firth.errors import FirthError

if TYPE_CHECKING:
    from firth.config.usages import Evaluation


def settings_of(modes: Sequence[str] | None, asked: Mapping[str, Any], of_finetuning: Mapping[str, Any]) -> Evaluation:
    """The project's settings, or the defaults, with what is asked for; what is None is not.

    Args:
        modes: asked for; None: finetuned where an option of fine-tuning is given.
        asked: other settings of evaluations.
        of_finetuning: settings of fine-tuning a BERT.

    Raises:
        FirthError: a setting that cannot be, or an option that would do nothing.
    """
    from pydantic import ValidationError

    from firth.config.usages import Evaluation, Grid

    root = root_or_none()
    base = Evaluation()
    if root is not None:
        from firth.config import load_params

        base = load_params(root / "params.yaml").evaluation
    changes = {key: value for key, value in asked.items() if value is not None}
    tuned = {key: value for key, value in of_finetuning.items() if value is not None}
    options = [name for name in ("protocol", "ensemble") if name in changes] + list(tuned)
    if "ensemble" in options and "bilstm" in changes.get("heads", base.heads):
        options.remove("ensemble")  # a BiLSTM on a frozen encoder is trained with several seeds, too
    if modes is not None:
        changes["modes"] = list(modes)
    elif options:
        changes["modes"] = ["finetuned"]
    if tuned:
        changes["finetuning"] = base.finetuning.model_dump() | tuned
    try:
        settings = Evaluation.model_validate(base.model_dump() | changes)
    except ValidationError as error:
        raise refusal(error) from None
    if options and "finetuned" not in settings.modes:
        raise FirthError(f"{_option(options[0])} is of fine-tuning: leave it out, or --frozen (--mode frozen)")
    if settings.protocol == "paper" and (points := [name for name in tuned if name in Grid.model_fields]):
        raise FirthError(
            f"{_option(points[0])}: the protocol paper has a grid of its own (evaluation.grid in params.yaml)"
        )
    return settings


def check_ways(models: Sequence[str], settings: Evaluation, of_bert: Mapping[str, Any]) -> None:
    """Every model must have one of the ways that are asked for, and one what is asked for a BERT (what is not None)."""
    from firth.word2vec.matrix_files import FILE as VECTORS

    options = [_option(name) for name, value in of_bert.items() if value is not None]
    only = settings.modes == ["finetuned"] and settings.heads == ["bilstm"]
    if not options and not only:
        return
    berts = [model for model in models if not (folder_of(model) / VECTORS).is_file()]
    if options and not berts:
        raise FirthError(f"{options[0]} is for a BERT, and no MODEL is one: leave it out")
    if only and berts:
        raise FirthError(
            f"{', '.join(berts)}: a BERT is fine-tuned under a linear head; a BiLSTM reads what it says when it is "
            "frozen: --mode frozen"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
