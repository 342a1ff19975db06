"""A fine-tuned model that is kept: a folder with the encoder as `transformers` loads it, its head and its usage.

Where the head is one that `transformers` has, too, with the same outputs, it lies among the weights under the name it
has there: BertForQuestionAnswering for spans, BertForTokenClassification for tags. Else the folder is a BertModel with
`head.safetensors` beside it: BertForSequenceClassification reads [CLS] through a pooler's tanh, which ours does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import firth
from firth.bert.folder import CONFIG, HEADS, NEW, WEIGHTS, Bert, read_weights, whole_folder, write_weights
from firth.bert.model import Encoder as Model
from firth.bert.model import Pretraining
from firth.canonical import file_sha256, read_json, write_json
from firth.encode.interchange import read_parts, write_parts
from firth.errors import DataError, FirthError, IntegrityError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.usages.usage import KINDS, Usage

FORMAT = "firth-task"
TASK, HEAD = "task.json", "head.safetensors"
SHARED = {"span": ("BertForQuestionAnswering", "qa_outputs"), "tagging": ("BertForTokenClassification", "classifier")}
"""Kinds whose head is a layer of `transformers` on the last layer's rows: the class, and the layer's name."""
ALONE = "BertModel"


@dataclass(frozen=True, eq=False)
class Kept:
    """A fine-tuned model to answer with. `said` is what `task.json` holds."""

    said: Mapping[str, Any]
    usage: Usage
    encoder: BertEncoder
    head: nn.Linear

    @property
    def kind(self) -> str:
        """text, pair, span, tagging, number or choice."""
        return str(self.said["kind"])

    @property
    def transformers_class(self) -> str:
        """What loads the folder there, head included; BertModel where the head is ours alone."""
        return _shared(self.kind, self.encoder.layers)[0]

    @property
    def whole_in_transformers(self) -> bool:
        """Whether that class has the head, too."""
        return self.transformers_class != ALONE


def save(folder: Path, encoder: BertEncoder, model: Model, head: nn.Linear, said: Mapping[str, Any]) -> None:
    """Write the folder, which appears complete or not at all; a kept model that is there is replaced.

    Args:
        folder: where; new, empty or a kept model's.
        encoder: how the model is read.
        model: the fine-tuned weights, in place of the encoder's own.
        head: the layer on its rows.
        said: `kind`, `usage` (its attributes), and what else a reader should know; plain JSON values.

    Raises:
        FirthError: `folder` holds something else, or cannot be written.
    """
    kind, further = said["kind"], {}
    name, layer = _shared(kind, encoder.layers)
    tensors = {"weight": head.weight.detach(), "bias": head.bias.detach()}
    shape = encoder.bert.model.architecture
    with torch.device("meta"):
        whole = Pretraining(shape)
    whole.encoder = model
    bert = Bert(whole, encoder.bert.tokenizer, dict.fromkeys(HEADS, NEW))  # its other heads were not learned with it
    if kind == "tagging":
        names = [*said["usage"]["labels"], *(["X"] if said["usage"]["further"] else [])]
        further = {
            "id2label": {str(number): label for number, label in enumerate(names)},
            "label2id": {label: number for number, label in enumerate(names)},
        }
    with whole_folder(folder, replaced=is_kept) as part:
        if layer:
            write_parts(part, bert, name, {f"{layer}.{part_}": tensor for part_, tensor in tensors.items()}, further)
        else:
            write_parts(part, bert, name)
            write_weights(part / HEAD, tensors)
        write_json(
            part / TASK,
            {
                **said,
                "format": FORMAT,
                "encoder": {"pooling": encoder.pooling, "layers": encoder.layers},
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
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise DataError(f"format is {said.get('format') if isinstance(said, dict) else None!r}, not {FORMAT!r}", path)
    try:
        usage = KINDS[said["kind"]](**said["usage"])
        pooling, layers, files = said["encoder"]["pooling"], said["encoder"]["layers"], dict(said["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path}: not as Firth {firth.__version__} writes it ({error!r})") from None
    for name, digest in files.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise IntegrityError(f"{folder / name}: missing, but named in {TASK}")
        if file_sha256(folder / name) != digest:
            raise IntegrityError(f"{folder / name}: not the bytes that {TASK} names (torn or altered)")
    if missing := [name for name in (CONFIG, WEIGHTS) if name not in files]:
        raise IntegrityError(f"{path}: names no {missing[0]}")
    bert, others = read_parts(folder)
    _, layer = _shared(said["kind"], layers)
    tensors = {part.removeprefix(f"{layer}."): tensor for part, tensor in others.items()} if layer else None
    encoder = BertEncoder(bert, pooling, layers, "", workers)
    head = _linear(
        tensors if tensors is not None else read_weights(folder / HEAD), usage.columns, encoder.width, folder
    )
    return Kept(said, usage, encoder, head)


def is_kept(folder: Path) -> bool:
    """Whether `folder` is a kept model, by its `task.json`."""
    try:
        said = read_json(folder / TASK)
    except IntegrityError:
        return False
    return isinstance(said, dict) and said.get("format") == FORMAT


def check_free(folder: Path) -> None:
    """`FirthError` where `save` could not write to `folder`: said before a training, not behind it."""
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or is_kept(folder))):
        raise FirthError(f"{folder}: is there already and is no kept model; name a new or an empty folder")


def description(usage: Usage) -> dict[str, Any]:
    """The attributes of a usage as `save` takes them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(usage).items()}  # type: ignore[call-overload]


def _shared(kind: str, layers: str) -> tuple[str, str]:
    """The class of `transformers`, and the head's name in it; none where the class is the bare encoder."""
    return SHARED[kind] if kind in SHARED and layers == "last" else (ALONE, "")


def _linear(tensors: Mapping[str, Tensor], columns: int, width: int, folder: Path) -> nn.Linear:
    head = nn.Linear(width, columns)
    for name, wanted in head.state_dict().items():
        if name not in tensors or tensors[name].shape != wanted.shape:
            found = tuple(tensors[name].shape) if name in tensors else "missing"
            raise IntegrityError(f"{folder}: the head's {name} is {found}, {TASK} makes it {tuple(wanted.shape)}")
    head.load_state_dict({name: tensors[name].to(torch.float32) for name in head.state_dict()})
    return head.eval()
