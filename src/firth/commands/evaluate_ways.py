"""`firth evaluate`: in which ways encoders are measured, by options, params.yaml and the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firth.commands.addresses import folder_of, root_or_none
from firth.commands.task_examples import refusal
from firth.config.usages import Evaluation
from firth.errors import FirthError


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
    if tuned and settings.protocol == "paper":
        option = _option(next(iter(tuned)))
        raise FirthError(f"{option}: the protocol paper has a grid of its own (evaluation.grid in params.yaml)")
    return settings


def check_ways(models: Sequence[str], settings: Evaluation, of_berts: Sequence[str]) -> None:
    """Every model must have one of the ways that are asked for, and one of them what options `of_berts` are of."""
    from firth.word2vec.matrix_files import FILE as VECTORS

    if of_berts and all((folder_of(model) / VECTORS).is_file() for model in models):
        raise FirthError(f"{', '.join(of_berts)}: of a BERT, and all of these are word vectors: leave it out")
    if settings.modes != ["finetuned"] or settings.heads != ["bilstm"]:
        return
    if berts := [model for model in models if not (folder_of(model) / VECTORS).is_file()]:
        raise FirthError(
            f"{', '.join(berts)}: a BERT is fine-tuned under a linear head; a BiLSTM reads what it says when it is "
            "frozen: --mode frozen"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
