"""The forms of a kept model: which encoder, whether it was trained too, and the head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from firth.config.usages import HeadName, Mode


class Form(NamedTuple):
    """Which encoder there is, whether it was trained too, and the head."""

    encoder: Literal["bert", "vectors"]
    mode: Mode
    head: HeadName


FINETUNED = Form("bert", "finetuned", "linear")

FORMS: Mapping[Form, str] = {
    FINETUNED: "a BERT that was fine-tuned under a linear head",
    Form("bert", "frozen", "linear"): "a linear head on a frozen BERT",
    Form("bert", "frozen", "bilstm"): "a BiLSTM on a frozen BERT",
    Form("vectors", "finetuned", "linear"): "word vectors that were tuned with a linear head",
    Form("vectors", "finetuned", "bilstm"): "word vectors that were tuned under a BiLSTM",
    Form("vectors", "frozen", "linear"): "a linear head on word vectors",
    Form("vectors", "frozen", "bilstm"): "a BiLSTM on word vectors",
}
"""All that there are, in words."""
