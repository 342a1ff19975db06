"""A kept model: a folder with an encoder, what was learned on it or with it, and the usage (`task.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import firth
from firth.bert.folder import whole_folder
from firth.canonical import file_sha256, read_json, write_json
from firth.errors import DataError, FirthError, IntegrityError
from firth.tasks.encoders.reading import Encoder
from firth.tasks.kept import parts
from firth.tasks.kept.forms import FINETUNED, FORMS, Form
from firth.tasks.learning.models import Model
from firth.tasks.usages.usage import KINDS, Usage

FORMAT, FURTHER = "firth-task", "firth-task-2"
"""A fine-tuned BERT, as ever; and the other forms, which a Firth that does not know them must not take for one."""
TASK = "task.json"


@dataclass(frozen=True, eq=False)
class Kept:
    """A model to answer with. `said` is what `task.json` holds."""

    said: Mapping[str, Any]
    usage: Usage
    form: Form
    model: Model

    @property
    def kind(self) -> str:
        """text, pair, span, tagging, number or choice."""
        return str(self.said["kind"])

    @property
    def encoder(self) -> Encoder:
        """What reads the records."""
        return self.model.encoder

    @property
    def transformers_class(self) -> str | None:
        """What loads the folder there, head included; BertModel where the head is ours alone; None for word vectors."""
        if self.form.encoder == "vectors":
            return None
        return parts.described(self.form, self.said).transformers_class

    @property
    def in_words(self) -> str:
        """What it is, and what `transformers` has of it."""
        said = FORMS[self.form]
        if self.transformers_class is None:
            return said
        ours = ", and a head of ours" if self.transformers_class == parts.ALONE else ""
        return f"{said}: {self.transformers_class} of transformers{ours}"


def save(folder: Path, form: Form, model: Model, said: Mapping[str, Any]) -> None:
    """Write the folder, which appears complete or not at all; a kept model that is there is replaced.

    Args:
        folder: where; new, empty or a kept model's.
        form: which form of model it is.
        model: the model.
        said: `kind`, `usage` (its attributes), and what else a reader should know; plain JSON values.

    Raises:
        FirthError: `folder` holds something else, or cannot be written.
    """
    with whole_folder(folder, replaced=is_kept) as part:
        about = parts.write(part, model, said)
        write_json(
            part / TASK,
            {
                **said,
                **about,
                "format": _format(form),
                "form": form._asdict(),
                "firth_version": firth.__version__,
                "files": {path.name: file_sha256(path) for path in sorted(part.iterdir())},
            },
        )


def load(folder: Path, workers: int = 1) -> Kept:
    """Read what `save` wrote, every file compared with its digest; `workers` are CPU threads to answer with.

    Raises:
        DataError: it is none.
        IntegrityError: a file is missing or altered, or the parts do not fit together.
    """
    path = folder / TASK
    if not path.is_file():
        raise DataError(f"not a kept model: it has no {TASK}; `firth evaluate … --save` writes one", folder)
    said = read_json(path)
    if not _is_ours(said):
        found = said.get("format") if isinstance(said, dict) else None
        raise DataError(f"format is {found!r}, not {FORMAT!r} or {FURTHER!r}", path)
    try:
        form = _form(said)
        usage = KINDS[said["kind"]](**said["usage"])
        about, files = parts.described(form, said), dict(said["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: not as Firth {firth.__version__} writes it ({error!r})") from None
    _check_files(folder, files, parts.needed(about))
    return Kept(said, usage, form, parts.read(folder, about, usage.columns, workers))


def is_kept(folder: Path) -> bool:
    """Whether `folder` is a kept model, by its `task.json`."""
    try:
        said = read_json(folder / TASK)
    except IntegrityError:
        return False
    return _is_ours(said)


def check_free(folder: Path) -> None:
    """`FirthError` where `save` could not write to `folder`: said before a training, not behind it."""
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or is_kept(folder))):
        raise FirthError(f"{folder}: is there already and is no kept model; name a new or an empty folder")


def description(usage: Usage) -> dict[str, Any]:
    """The attributes of a usage as `save` takes them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(usage).items()}  # type: ignore[call-overload]


def _format(form: Form) -> str:
    return FORMAT if form == FINETUNED else FURTHER


def _form(said: Mapping[str, Any]) -> Form:
    """Folders from before there was a choice do not name theirs."""
    form = Form(**said["form"]) if "form" in said else FINETUNED
    if form not in FORMS or _format(form) != said["format"]:
        raise ValueError(f"form {said.get('form')} of {said['format']}")
    return form


def _is_ours(said: Any) -> bool:
    return isinstance(said, dict) and said.get("format") in (FORMAT, FURTHER)


def _check_files(folder: Path, files: Mapping[str, str], needed: list[str]) -> None:
    for name, digest in files.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise IntegrityError(f"{folder / name}: missing, but named in {TASK}")
        if file_sha256(folder / name) != digest:
            raise IntegrityError(f"{folder / name}: not the bytes that {TASK} names (torn or altered)")
    if missing := [name for name in needed if name not in files]:
        raise IntegrityError(f"{folder / TASK}: names no {missing[0]}")
