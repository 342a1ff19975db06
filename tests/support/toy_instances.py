"""Instances of random documents under a toy vocabulary."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from hypothesis import strategies as st

from firth.bert.data import reference
from firth.bert.data.instances import Batch, Chosen, Instances
from firth.bert.data.text import Text
from firth.config.bert import Bert, Masking
from firth.wordpiece import tokenizer
from firth.wordpiece.store import Shard, Split

Documents = Sequence[Sequence[Sequence[int]]]

VOCABULARY, PAD, UNK, CLS, SEP, MASK = 60, 3, 1, 4, 0, 2
CONTINUES = np.arange(VOCABULARY) % 3 == 0
CONTINUES[:5] = False


class Tokenizer(SimpleNamespace):
    def __len__(self) -> int:
        return VOCABULARY


TOKENIZER = cast(
    tokenizer.Tokenizer,
    Tokenizer(pad=PAD, unk=UNK, cls=CLS, sep=SEP, mask=MASK, special=frozenset(range(5)), continues=CONTINUES),
)


def split_of(documents: Documents, per_shard: int = 3, dtype: Any = np.uint16) -> Split:
    """The documents (lists of lists of ids) as a side of a token store."""
    shards = []
    for at in range(0, len(documents), per_shard):
        part = documents[at : at + per_shard]
        lengths = [len(sentence) for document in part for sentence in document]
        counts = [len(document) for document in part]
        shards.append(
            Shard(
                np.array([token for document in part for sentence in document for token in sentence], dtype),
                np.cumsum([0, *lengths]).astype(np.uint32),
                np.cumsum([0, *counts]).astype(np.uint32),
            )
        )
    sentences = [sentence for document in documents for sentence in document]
    return Split(shards, sum(map(len, sentences)), len(sentences), len(documents))


def settings_of(length: int = 32, short: float = 0.1, next_sentence: bool = True, **masking: Any) -> Bert:
    return Bert(
        size="tiny", positions=512, length=length, short_sequences=short, next_sentence=next_sentence,
        masking=Masking(**masking),
    )  # fmt: skip


def instances_of(documents: Documents, settings: Bert, seed: int = 1, **shards: Any) -> Instances:
    return Instances(Text.of(split_of(documents, **shards)), TOKENIZER, settings, seed, settings.next_sentence)


def epoch_of(instances: Instances, epoch: int = 0) -> Chosen:
    return instances.choose(epoch, np.arange(len(instances.plan(epoch)), dtype=np.int64))


def rows_of(batch: Batch) -> Iterator[reference.Instance]:
    """Each row of a batch without its padding: ids, segments, predicted, labels."""
    width = batch.ids.shape[1]
    for row, ids in enumerate(batch.ids.tolist()):
        count = width if batch.mask is None else int(batch.mask[row].sum())
        segments = [0] * width if batch.segments is None else batch.segments[row].tolist()
        places, labels = batch.predicted.numpy() - row * width, batch.masked_lm_labels.numpy()
        own = (places >= 0) & (places < width)
        assert set(ids[count:]) <= {PAD}
        assert set(segments[count:]) <= {0}
        yield reference.Instance(ids[:count], segments[:count], places[own].tolist(), labels[own].tolist())


@st.composite
def texts(draw: st.DrawFn, least: int = 2) -> list[list[list[int]]]:
    """Documents of sentences of ids, some very short, some longer than an instance; [UNK] among them."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    documents = []
    for sentences in draw(st.lists(st.integers(1, 9), min_size=least, max_size=9)):
        lengths = rng.choice([1, 2, 5, 9, 20, 80], size=sentences)
        documents.append([(rng.integers(4, VOCABULARY, n) % 56 + 4).tolist() for n in lengths])
    return [[[UNK if t == 4 else t for t in sentence] for sentence in document] for document in documents]
