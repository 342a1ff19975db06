"""BERT as `transformers` keeps it: read into our model, and written so that it loads there unmodified."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from firth.bert.architecture import Architecture
from firth.bert.folder import (
    CONFIG,
    HEADS,
    NEW,
    TRAINED,
    WEIGHTS,
    Bert,
    check_tokenizer,
    read_weights,
    whole_folder,
    with_weights,
    write_weights,
)
from firth.bert.model import STANDARD_DEVIATION, MaskedWords, Pooler, initialise
from firth.canonical import read_json, write_json
from firth.encode.names import PREFIX, head_of, names, plain
from firth.errors import ConfigError, DataError, IntegrityError
from firth.wordpiece.tokenizer import Tokenizer

INDEX = "model.safetensors.index.json"
"""Says which file holds which tensor, where there are several."""

NEEDED = {
    "vocabulary": "vocab_size",
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "positions": "max_position_embeddings",
}
"""What their `config.json` must say about an `Architecture`."""

DEFAULTS = {
    "segments": ("type_vocab_size", 2),
    "dropout": ("hidden_dropout_prob", 0.1),
    "epsilon": ("layer_norm_eps", 1e-12),
}
"""What it may leave out."""

ATTENTION_DROPOUT = "attention_probs_dropout_prob"
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
DECODER = "cls.predictions.decoder"
EMBEDDINGS = "embeddings.word_embeddings.weight"
BIAS = "cls.predictions.bias"


def read_hf(folder: Path, seed: int = 1, say_new: bool = True) -> Bert:
    """Read a folder that `save_pretrained` of a BERT wrote: BertModel, BertForPreTraining, BertForMaskedLM and others.

    Heads that it lacks start as new ones from `seed`, heads of other tasks are left out; a line on stderr says both,
    the former with `say_new`.

    Raises:
        DataError: not such a folder, or a model that ours cannot be: another architecture, activation, position
            embedding, an untied decoder, a pickle.
        IntegrityError: a tensor is missing, superfluous or of another shape; a file is torn.
    """
    bert, strangers = read_parts(folder, seed)
    if say_new and (new := [head for head in HEADS if bert.heads[head] == NEW]):
        print(f"{folder}: has no trained {', '.join(new)}: new, random weights stand there", file=sys.stderr)
    if strangers:
        print(f"{folder}: left out, heads of other tasks: {', '.join(sorted(strangers))}", file=sys.stderr)
    return bert


def read_parts(folder: Path, seed: int = 1) -> tuple[Bert, dict[str, Tensor]]:
    """As `read_hf`, with the tensors of other heads by name, and without a word on stderr about either."""
    architecture = read_architecture(folder)
    tokenizer = Tokenizer.load(folder)
    check_tokenizer(architecture, tokenizer, folder)
    found = _tied(_tensors(folder), folder)
    ours_to_theirs = names(architecture)
    heads = {head: _state_of(head, ours_to_theirs, found, folder) for head in HEADS}
    strangers = sorted(set(found) - set(ours_to_theirs.values()))
    if inside := [name for name in strangers if name.startswith(("embeddings.", "encoder."))]:
        raise IntegrityError(f"{folder}: {inside[0]} is no tensor of BERT as {CONFIG} describes it")
    weights = {ours: found[theirs] for ours, theirs in ours_to_theirs.items() if theirs in found}
    weights |= {name: tensor for name, tensor in _new_heads(architecture, seed).items() if name not in weights}
    model = with_weights(architecture, weights, folder)
    return Bert(model, tokenizer, heads), {name: found[name] for name in strangers}


def write_hf(bert: Bert, folder: Path) -> None:
    """Write `folder` as `save_pretrained` would; `AutoModel` and `AutoTokenizer` load it.

    Heads that were never trained stay out: with both pretraining heads it is a `BertForPreTraining`, with one a
    `BertForMaskedLM` or `BertForNextSentencePrediction`, with none a `BertModel`.

    Raises:
        FirthError: `folder` is not empty, or cannot be written.
    """
    with whole_folder(folder, replaced=lambda _: False) as part:
        write_parts(part, bert, hf_class(bert))


def write_parts(
    folder: Path, bert: Bert, kind: str, head: Mapping[str, Tensor] | None = None, said: Mapping[str, Any] | None = None
) -> None:
    """The same files in a folder that is there, as the class `kind` of `transformers`.

    `head` are tensors that the class has beside the encoder, under its names; `said` goes into `config.json`.
    """
    architecture = bert.model.architecture
    check_tokenizer(architecture, bert.tokenizer, folder)
    theirs = names(architecture)
    weights = dict(head or {})
    for name, tensor in bert.model.state_dict().items():
        part = head_of(name)
        if part is None or bert.heads[part] == TRAINED:
            prefix = PREFIX if kind != "BertModel" and part in (None, "pooler") else ""
            weights[prefix + theirs[name]] = tensor
    write_json(folder / CONFIG, _config(architecture, bert.tokenizer, kind) | dict(said or {}))
    write_weights(folder / WEIGHTS, weights)
    bert.tokenizer.save(folder, architecture.positions)


def hf_class(bert: Bert) -> str:
    """The class of `transformers` that has exactly the trained heads."""
    trained = {head for head in ("mlm", "nsp") if bert.heads[head] == TRAINED}
    if not trained:
        return "BertModel"
    if len(trained) == 2:
        return "BertForPreTraining"
    return "BertForMaskedLM" if "mlm" in trained else "BertForNextSentencePrediction"


def read_architecture(folder: Path) -> Architecture:
    """What their `config.json` says; what our model cannot be is refused by key and value."""
    path = folder / CONFIG
    config = read_json(path) if path.is_file() else None
    if config is None:
        raise DataError(f"not a model folder: it has no {CONFIG}", folder)
    if not isinstance(config, dict):
        raise DataError("not a JSON object", path)
    for key, allowed, why in (
        ("model_type", ("bert",), "Firth reads BERT only"),
        ("hidden_act", ("gelu", "gelu_python"), "BERT's is gelu, exact"),
        ("position_embedding_type", ("absolute",), "BERT's are absolute"),
        ("is_decoder", (False,), "Firth reads encoders"),
        ("add_cross_attention", (False,), "Firth reads encoders"),
    ):
        value = config.get(key, None if key == "model_type" else allowed[0])
        if value not in allowed:
            raise DataError(f"{key} is {value!r}: {why}", path)
    if missing := [key for key in NEEDED.values() if key not in config]:
        raise DataError(f"does not say {', '.join(missing)}", path)
    given: dict[str, Any] = {name: config[key] for name, key in NEEDED.items()}
    given |= {name: config.get(key, default) for name, (key, default) in DEFAULTS.items()}
    try:
        architecture = Architecture(**given)
    except (ConfigError, TypeError) as error:
        raise DataError(str(error), path) from None
    if config.get(ATTENTION_DROPOUT, architecture.dropout) != architecture.dropout:
        print(
            f"{path}: {ATTENTION_DROPOUT} is {config[ATTENTION_DROPOUT]}; further training here drops attention "
            f"weights as it does hidden states, {architecture.dropout}",
            file=sys.stderr,
        )
    return architecture


def _config(architecture: Architecture, tokenizer: Tokenizer, kind: str) -> dict[str, Any]:
    keys = NEEDED | {name: key for name, (key, _) in DEFAULTS.items()}
    return {
        "architectures": [kind],
        "model_type": "bert",
        **{key: getattr(architecture, name) for name, key in keys.items()},
        ATTENTION_DROPOUT: architecture.dropout,
        "hidden_act": "gelu",
        "initializer_range": STANDARD_DEVIATION,
        "pad_token_id": tokenizer.pad,
        "tie_word_embeddings": True,
    }


def _tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of the folder under their plain names."""
    read: dict[str, Tensor] = {}
    for file in weight_files(folder):
        for name, tensor in read_weights(file).items():
            known = plain(name)
            if known in read:
                raise IntegrityError(f"{file}: the tensor {known} is there twice")
            read[known] = tensor
    return {name: tensor for name, tensor in read.items() if name not in BUFFERS}


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, one or many; `DataError` where its weights are of another kind."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        placed = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(placed, dict) or not placed:
            raise DataError("has no weight_map", folder / INDEX)
        files = sorted({str(file) for file in placed.values()})
        for file in files:
            if Path(file).name != file:
                raise DataError(f"names {file!r}, which is not a file beside it", folder / INDEX)
        return [folder / file for file in files]
    for other in ("pytorch_model.bin", "pytorch_model.bin.index.json"):
        if (folder / other).is_file():
            raise DataError(
                f"its weights are a pickle, {other}, which may run code when it is opened: Firth does not. Where you "
                f'trust it, convert it: python -c "from transformers import AutoModelForPreTraining as A; '
                f"A.from_pretrained('{folder}').save_pretrained('NEW')\" and copy the tokenizer's files to NEW",
                folder,
            )
    raise DataError(f"has no {WEIGHTS}", folder)


def _tied(found: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """`found` without the decoder, which must be the token embeddings and the head's bias."""
    weight, bias = found.pop(f"{DECODER}.weight", None), found.pop(f"{DECODER}.bias", None)
    if weight is not None and EMBEDDINGS in found and not torch.equal(weight, found[EMBEDDINGS]):
        raise DataError(f"{DECODER}.weight is not the token embeddings: BERT's decoder is tied to them", folder)
    if bias is not None:
        found.setdefault(BIAS, bias)
    return found


def _state_of(head: str, ours_to_theirs: Mapping[str, str], found: Mapping[str, Tensor], folder: Path) -> str:
    parts = [theirs for ours, theirs in ours_to_theirs.items() if head_of(ours) == head]
    missing = [theirs for theirs in parts if theirs not in found]
    if missing and len(missing) < len(parts):
        raise IntegrityError(f"{folder}: the tensor {missing[0]} is missing, although others of its head are there")
    return NEW if missing else TRAINED


def _new_heads(architecture: Architecture, seed: int) -> dict[str, Tensor]:
    """Pooler and both heads as a training from `seed` starts them."""
    with torch.device("meta"):
        heads = nn.ModuleDict(
            {
                "pooler": Pooler(architecture),
                "mlm": MaskedWords(architecture),
                "nsp": nn.Linear(architecture.hidden, 2),
            }
        )
    heads.to_empty(device="cpu")
    initialise(heads, seed)
    return heads.state_dict()
