"""What lies in a kept model's folder beside `task.json`: its encoder, and its head.

A BERT lies there as `transformers` loads it. Where the head is one that `transformers` has, too, with the same outputs,
it lies among the weights under the name it has there: BertForQuestionAnswering for spans, BertForTokenClassification
for tags, of a fine-tuned BERT. Else the folder is a BertModel with `head.safetensors` beside it:
BertForSequenceClassification reads [CLS] through a pooler's tanh, which ours does not.

Word vectors lie there as those of a training do. Where a network read them standardised, or tuned them, they are kept
as it reads them now: those of the training side's words as learned, all others as given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from firth.bert.folder import CONFIG, HEADS, NEW, WEIGHTS, Bert, read_weights, write_weights
from firth.bert.model import Encoder, Pretraining
from firth.encode.interchange import read_parts, write_parts
from firth.errors import IntegrityError
from firth.tasks.encoders.contextual import BertEncoder, Layers, Pooling
from firth.tasks.encoders.reading import Floats
from firth.tasks.encoders.rows import MULTIPLE
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.kept.forms import FINETUNED, Form
from firth.tasks.learning.bilstm import Network, Shape
from firth.tasks.learning.finetune import Finetuned
from firth.tasks.learning.heads import FrozenHead
from firth.tasks.learning.models import BiLSTMOnStates, BiLSTMOnVectors, LinearOnFeatures, LinearOnTuned, Model
from firth.tasks.learning.table import Table
from firth.tasks.learning.tokens import Moments
from firth.tasks.learning.tuned import TunedVectors
from firth.tokens.vocabulary import FILE as VOCABULARY
from firth.vectors.vectors import Vectors
from firth.word2vec.matrix_files import FILE as VECTORS
from firth.word2vec.matrix_files import save_matrices

HEAD = "head.safetensors"
SHARED = {"span": ("BertForQuestionAnswering", "qa_outputs"), "tagging": ("BertForTokenClassification", "classifier")}
"""Kinds whose head is a layer of `transformers` on the last layer's rows: the class, and the layer's name."""
ALONE = "BertModel"


@dataclass(frozen=True)
class About:
    """What `task.json` says of a model's parts. `width` is what a linear head reads, `shape` that of a BiLSTM."""

    form: Form
    kind: str
    pooling: Pooling = "mean"
    layers: Layers = "last"
    width: int = 0
    shape: Shape | None = None

    @property
    def transformers_class(self) -> str:
        """The class of `transformers` that a BERT's folder is."""
        return self._shared[0]

    @property
    def layer(self) -> str:
        """The head's name in it; none where the class is the bare encoder."""
        return self._shared[1]

    @property
    def _shared(self) -> tuple[str, str]:
        ours = self.form != FINETUNED or self.kind not in SHARED or self.layers != "last"
        return (ALONE, "") if ours else SHARED[self.kind]


def described(form: Form, said: Mapping[str, Any]) -> About:
    """What `write` has said.

    Raises:
        KeyError, TypeError, ValueError: something is missing or is no such thing.
    """
    about = About(form, said["kind"])
    if form.encoder == "bert":
        pooling, layers = said["encoder"]["pooling"], said["encoder"]["layers"]
        if pooling not in get_args(Pooling) or layers not in get_args(Layers):
            raise ValueError(f"encoder: {said['encoder']}")
        about = replace(about, pooling=pooling, layers=layers)
    if form == FINETUNED:
        return about
    head = dict(said["head"])
    if head.get("form", "single") not in MULTIPLE or not all(
        isinstance(size, int) and size > 0 for name, size in head.items() if name != "form"
    ):
        raise ValueError(f"head: {head}")
    return replace(about, shape=Shape(**head)) if form.head == "bilstm" else replace(about, width=head["width"])


def write(folder: Path, model: Model, said: Mapping[str, Any]) -> dict[str, Any]:
    """Write a model's files to `folder`; `said` has the `kind` and the `usage` of its task.

    Returns:
        What `described` must be told: of a BERT `encoder`, of all forms but a fine-tuned BERT `head`.
    """
    match model:
        case Finetuned(encoder, weights, head):
            _write_finetuned(folder, encoder, weights, head, said)
            return _about(encoder)
        case LinearOnFeatures(BertEncoder() | StaticEncoder() as encoder, FrozenHead(linear, mean, scale)):
            if isinstance(encoder, BertEncoder):
                _write_bert(folder, encoder, encoder.bert.model.encoder)
            else:
                _write_vectors(folder, encoder, encoder.matrix)
            write_weights(folder / HEAD, {**linear.state_dict(), "mean": mean, "scale": scale})
            return _about(encoder) | {"head": {"width": linear.in_features}}
        case LinearOnTuned(encoder, network):
            unknown = _write_vectors(folder, encoder, network.table.whole())
            further = {"mean": network.mean, "scale": network.scale, "unknown": unknown}
            write_weights(folder / HEAD, {**network.head.state_dict(), **further})
            return {"head": {"width": network.head.in_features}}
        case BiLSTMOnVectors(encoder, table, network):
            unknown = _write_vectors(folder, encoder, table.whole())
            write_weights(folder / HEAD, {**network.state_dict(), "unknown": unknown})
            return {"head": network.shape._asdict()}
        case BiLSTMOnStates(encoder, moments, network):
            _write_bert(folder, encoder, encoder.bert.model.encoder)
            write_weights(folder / HEAD, {**network.state_dict(), **moments._asdict()})
            return _about(encoder) | {"head": network.shape._asdict()}
    raise AssertionError(f"{type(model).__name__} is no form of a kept model")


def needed(about: About) -> list[str]:
    """The files without which there is no such model."""
    if about.form.encoder == "vectors":
        return [VECTORS, VOCABULARY, HEAD]
    return [CONFIG, WEIGHTS, *([] if about.layer else [HEAD])]


def read(folder: Path, about: About, columns: int, workers: int) -> Model:
    """What `write` wrote.

    Args:
        folder: where.
        about: which model it is.
        columns: outputs of the head for each row.
        workers: CPU threads for a BERT to read with.

    Raises:
        IntegrityError: the parts do not fit together.
    """
    if about.form.encoder == "vectors":
        return _read_on_vectors(folder, about, columns)
    bert, others = read_parts(folder)
    encoder = BertEncoder(bert, about.pooling, about.layers, "", workers)
    if about.layer:
        tensors = {part.removeprefix(f"{about.layer}."): tensor for part, tensor in others.items()}
    else:
        tensors = read_weights(folder / HEAD)
    if about.form == FINETUNED:
        return Finetuned(encoder, bert.model.encoder, _linear(tensors, columns, encoder.width, folder))
    if about.shape is None:
        return LinearOnFeatures(encoder, _frozen(tensors, columns, about.width, folder))
    moments = Moments(*(_vector(tensors, name, encoder.width, folder) for name in Moments._fields))
    return BiLSTMOnStates(encoder, moments, _network(tensors, about.shape, columns, folder))


def _read_on_vectors(folder: Path, about: About, columns: int) -> Model:
    encoder, tensors = StaticEncoder(Vectors.load(folder)), read_weights(folder / HEAD)
    if about.form == Form("vectors", "frozen", "linear"):
        return LinearOnFeatures(encoder, _frozen(tensors, columns, about.width, folder))
    table = Table.restored(encoder, _vector(tensors, "unknown", encoder.width, folder).numpy())
    if about.shape is not None:
        return BiLSTMOnVectors(encoder, table, _network(tensors, about.shape, columns, folder))
    head = _frozen(tensors, columns, about.width, folder)
    return LinearOnTuned(encoder, TunedVectors(table, encoder.unknown, head.mean, head.scale, head.linear))


def _write_finetuned(
    folder: Path, encoder: BertEncoder, weights: Encoder, head: nn.Linear, said: Mapping[str, Any]
) -> None:
    about, further = About(FINETUNED, said["kind"], encoder.pooling, encoder.layers), {}
    if about.kind == "tagging":
        names = [*said["usage"]["labels"], *(["X"] if said["usage"]["further"] else [])]
        further = {
            "id2label": {str(number): label for number, label in enumerate(names)},
            "label2id": {label: number for number, label in enumerate(names)},
        }
    tensors = head.state_dict()
    if about.layer:
        inside = {f"{about.layer}.{part}": tensor for part, tensor in tensors.items()}
        write_parts(folder, _bare(encoder, weights), about.transformers_class, inside, further)
    else:
        _write_bert(folder, encoder, weights)
        write_weights(folder / HEAD, tensors)


def _write_bert(folder: Path, encoder: BertEncoder, weights: Encoder) -> None:
    write_parts(folder, _bare(encoder, weights), ALONE)


def _bare(encoder: BertEncoder, weights: Encoder) -> Bert:
    """With no other head: those were not learned with this one."""
    with torch.device("meta"):
        whole = Pretraining(encoder.bert.model.architecture)
    whole.encoder = weights
    return Bert(whole, encoder.bert.tokenizer, dict.fromkeys(HEADS, NEW))


def _about(encoder: BertEncoder | StaticEncoder) -> dict[str, Any]:
    if isinstance(encoder, StaticEncoder):
        return {}
    return {"encoder": {"pooling": encoder.pooling, "layers": encoder.layers}}


def _write_vectors(folder: Path, encoder: StaticEncoder, rows: Floats) -> Tensor:
    """Write `rows` (vocabulary + 1, D) but the last one, that for no word, which is returned: the head keeps it."""
    save_matrices(folder, encoder.vocabulary, {"input": rows[:-1]})
    return torch.from_numpy(rows[-1])


def _network(tensors: Mapping[str, Tensor], shape: Shape, columns: int, folder: Path) -> Network:
    with torch.random.fork_rng(devices=[]):  # first weights, which are not those that stay
        network = Network(shape, columns, 0.0, torch.Generator())  # dropout is for training alone
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        _check(tensors, name, tuple(tensor.shape), folder)
    network.load_state_dict({name: tensors[name].to(torch.float32) for name in wanted})
    return network.eval()


def _frozen(tensors: Mapping[str, Tensor], columns: int, width: int, folder: Path) -> FrozenHead:
    moments = (_vector(tensors, name, width, folder) for name in ("mean", "scale"))
    return FrozenHead(_linear(tensors, columns, width, folder), *moments)


def _linear(tensors: Mapping[str, Tensor], columns: int, width: int, folder: Path) -> nn.Linear:
    head = nn.Linear(width, columns)
    for name, wanted in head.state_dict().items():
        _check(tensors, name, tuple(wanted.shape), folder)
    head.load_state_dict({name: tensors[name].to(torch.float32) for name in head.state_dict()})
    return head.eval()


def _vector(tensors: Mapping[str, Tensor], name: str, width: int, folder: Path) -> Tensor:
    _check(tensors, name, (width,), folder)
    return tensors[name].to(torch.float32)


def _check(tensors: Mapping[str, Tensor], name: str, wanted: tuple[int, ...], folder: Path) -> None:
    if name not in tensors or tuple(tensors[name].shape) != wanted:
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        raise IntegrityError(f"{folder}: the head's {name} is {found}, task.json makes it {wanted}")
