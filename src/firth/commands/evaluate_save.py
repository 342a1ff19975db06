"""`firth evaluate --save`: which model is kept, what cannot be, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from firth.commands.addresses import folder_of
from firth.errors import FirthError

if TYPE_CHECKING:
    from firth.config.usages import Evaluation
    from firth.tasks.encoders.sources import Source
    from firth.tasks.examples.files import Examples
    from firth.tasks.kept.keeping import Last


def check_save(folder: Path, models: Sequence[str], settings: Evaluation) -> None:
    """What can be said before anything is trained.

    Raises:
        FirthError: more than one model would be trained, or `folder` holds something else.
    """
    from firth.tasks.kept.folder import check_free
    from firth.tasks.kept.forms import FORMS, Form
    from firth.word2vec.matrix_files import FILE as VECTORS

    if len(models) > 1:
        raise FirthError(f"--save keeps one model, and {len(models)} are named")
    encoder: Literal["vectors", "bert"] = "vectors" if (folder_of(models[0]) / VECTORS).is_file() else "bert"
    asked = [Form(encoder, mode, head) for mode in settings.modes for head in settings.heads]
    if len(forms := [form for form in asked if form in FORMS]) > 1:
        listed = ", or ".join(f"--mode {form.mode} --head {form.head} ({FORMS[form]})" for form in forms)
        raise FirthError(f"--save keeps one model, and {len(forms)} are trained: say {listed}")
    check_free(folder)


def keep_scored(
    folder: Path,
    examples: Examples,
    sources: Mapping[str, Source],
    settings: Evaluation,
    results: Mapping[str, Any],
    last: Last | None,
) -> str:
    """Keep the model of the one source, which was scored; what was kept, in a line."""
    from firth.tasks.kept.folder import load
    from firth.tasks.kept.keeping import keep

    (source,) = sources.values()
    row = next(row for row in results["systems"] if "ensemble_of" not in row)
    said = keep(folder, examples, source, settings, row, last)
    score = said["score"]
    return f"{folder}: {score['metric']} {score['dev']:.3f}, seed {said['training']['seed']}; {load(folder).in_words}"
