"""Training instances as a pure function of (seed, epoch, index): pairs of segments with masked words.

    [CLS] A … [SEP] B … [SEP]        next_sentence: B follows A in the text (label 0), or is from another document (1)
    [CLS] A … [SEP]                  without: a stretch of one document that fills the length

Under the objective `left_to_right` nothing is masked; each token is predicted where the one before it stands.

As `create_pretraining_data` of the original, with two liberties: the target length is drawn for each chunk, not for
each document, and the masks of a text are other ones in each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from firth.bert.data import kernels
from firth.bert.data.plan import FULL, MASK, PAIR, Cursor, Plan, parts
from firth.bert.data.text import Text
from firth.config.bert import Bert
from firth.errors import DataError, IntegrityError
from firth.training.splitmix import stream_start
from firth.wordpiece.tokenizer import Tokenizer


class Batch(NamedTuple):
    """Instances that go through the model together, padded to the longest: B rows of L tokens, P of them predicted."""

    ids: torch.Tensor
    """(B, L) int64."""
    segments: torch.Tensor | None
    """(B, L) int64, 1 from the first token of B on; None: all 0."""
    mask: torch.Tensor | None
    """(B, L) bool, True for a real token; None: no padding."""
    predicted: torch.Tensor
    """(P,) int64: flat positions b · L + l, ascending: where the heads read."""
    masked_lm_labels: torch.Tensor
    """(P,) int64: what stood there; left to right, what comes next."""
    next_sentence_labels: torch.Tensor | None
    """(B,) int64: 1 where B is from another document; None without next-sentence prediction."""
    tokens: int
    """Tokens that are not padding."""
    causal: bool = False
    """Whether a token sees only itself and those before it."""


@dataclass(frozen=True)
class Chosen:
    """Instances before their tokens are looked up: (n,) epochs' numbers, where A and B stand, labels."""

    epochs: NDArray[np.int64]
    indexes: NDArray[np.int64]
    spans: NDArray[np.int64]
    """(n, 4): first token and tokens of A, first token and tokens of B."""
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Instances."""
        return len(self.indexes)

    def take(self, rows: NDArray[np.int64]) -> Chosen:
        """These rows, in this order."""
        return Chosen(self.epochs[rows], self.indexes[rows], self.spans[rows], self.labels[rows])


class Instances:
    """The instances of one text under one configuration."""

    def __init__(self, text: Text, tokenizer: Tokenizer, settings: Bert, seed: int, next_sentence: bool) -> None:
        """`next_sentence` may be off where the settings have it on: a text of one document has no pairs.

        Raises:
            DataError: no text, or one document where pairs are asked for.
        """
        if len(text) == 0:
            raise DataError("there is no text to make training instances of")
        if next_sentence and len(text) < 2:
            raise DataError(
                "next-sentence prediction takes sentences of another document, and there is one document only; add "
                "documents, or set bert.next_sentence to false"
            )
        self.text, self.tokenizer, self.settings, self.seed = text, tokenizer, settings, seed
        self.pairs, self.causal = next_sentence, settings.objective == "left_to_right"
        self.longest = settings.length - (3 if next_sentence else 2)
        self.maskable = np.ones(len(tokenizer), dtype=np.bool_)
        self.maskable[sorted(tokenizer.special)] = False
        self.ordinary = np.flatnonzero(self.maskable)
        self.continues = np.asarray(tokenizer.continues)
        self._plan: Plan | None = None

    def plan(self, epoch: int) -> Plan:
        """The plan of `epoch`; the latest one is kept."""
        if self._plan is None or self._plan.epoch != epoch:
            self._plan = None  # two at once need not fit into memory
            self._plan = Plan.of(
                self.text, self.seed, epoch, self.longest, self.settings.short_sequences, self.pairs
            )  # fmt: skip
        return self._plan

    def following(self, cursor: Cursor, count: int) -> tuple[Chosen, Cursor]:
        """The next `count` instances, through as many epochs as it takes, and the cursor behind them."""
        found: list[Chosen] = []
        while count > 0:
            epoch = cursor.epoch
            indexes, cursor = cursor.take(self.plan(epoch), count)
            found.append(self.choose(epoch, indexes))
            count -= len(indexes)
        return Chosen(*(np.concatenate(column) for column in zip(*map(_columns, found), strict=True))), cursor

    def choose(self, epoch: int, indexes: NDArray[np.int64]) -> Chosen:
        """Instances `indexes` of `epoch`."""
        plan = self.plan(epoch)
        spans = np.empty((len(indexes), 4), dtype=np.int64)
        labels = np.zeros(len(indexes), dtype=np.int64)
        if self.pairs:
            kernels.spans_of_pairs(
                self.text.sentences, self.text.documents, plan.firsts, plan.shapes, plan.order_key,
                self._base(PAIR, epoch), indexes, self.longest, spans, labels,
            )  # fmt: skip
        else:
            kernels.spans_of_segments(plan.firsts, plan.shapes, plan.order_key, indexes, spans)
        return Chosen(np.full(len(indexes), epoch, dtype=np.int64), indexes, spans, labels)

    def batches(self, chosen: Chosen, size: int, length: int = 0) -> Iterator[Batch]:
        """Batches of at most `size` rows; see `divided`.

        `length` pads every row to that many tokens instead (for code that is compiled for one shape).
        """
        for part in divided(chosen, size):
            yield self.batch(part, length)

    def batch(self, chosen: Chosen, length: int = 0) -> Batch:
        """`chosen` as one batch; a row's content is the same in whatever company.

        Raises:
            IntegrityError: the text holds an id that the vocabulary does not have.
        """
        spans, tokenizer = chosen.spans, self.tokenizer
        ends = spans[:, 1] + spans[:, 3] + self.settings.length - self.longest  # tokens of each row
        columns = np.arange(max(length, int(ends.max())))
        ids = np.full((len(chosen), len(columns)), tokenizer.pad, dtype=np.int64)
        rows, last_of_a = np.arange(len(chosen)), spans[:, 1] + 1
        ids[:, 0] = tokenizer.cls
        ids[rows, last_of_a] = tokenizer.sep
        ids[rows, ends - 1] = tokenizer.sep
        self._gather(spans, ids)
        predicted, labels = self._follow(spans, ids) if self.causal else self._mask(chosen, ids)
        real = columns < ends[:, None]
        segments = ((columns > last_of_a[:, None]) & real).astype(np.int64) if self.pairs else None
        return Batch(
            torch.from_numpy(ids),
            None if segments is None else torch.from_numpy(segments),
            None if real.all() else torch.from_numpy(real),
            torch.from_numpy(predicted),
            torch.from_numpy(labels),
            torch.from_numpy(chosen.labels.copy()) if self.pairs else None,
            int(ends.sum()),
            self.causal,
        )

    def _gather(self, spans: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
        starts = self.text.shard_starts
        needed = np.unique(np.searchsorted(starts, spans[:, [0, 2]][spans[:, [1, 3]] > 0], side="right") - 1)
        for shard in needed.tolist():
            tokens = self.text.shards[shard]
            if kernels.gather(tokens, starts[shard], len(self.tokenizer), spans, ids):
                raise IntegrityError(
                    f"the token store holds ids that its vocabulary of {len(self.tokenizer)} pieces does not have"
                )

    def _mask(self, chosen: Chosen, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        masking = self.settings.masking
        bases = {epoch: self._base(MASK, epoch) for epoch in np.unique(chosen.epochs).tolist()}
        predicted, labels = np.empty(ids.size, dtype=np.int64), np.empty(ids.size, dtype=np.int64)
        count = kernels.mask_words(
            ids, chosen.spans, np.array([bases[epoch] for epoch in chosen.epochs.tolist()], dtype=np.uint64),
            chosen.indexes, self.maskable, self.continues, self.ordinary, masking.rate, self.tokenizer.mask,
            np.uint64(round(masking.mask * FULL)), np.uint64(round(masking.random * FULL)), masking.whole_words,
            predicted, labels,
        )  # fmt: skip
        return predicted[:count].copy(), labels[:count].copy()

    def _follow(self, spans: NDArray[np.int64], ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        predicted, labels = np.empty(ids.size, dtype=np.int64), np.empty(ids.size, dtype=np.int64)
        count = kernels.follow_words(ids, spans, self.maskable, predicted, labels)
        return predicted[:count].copy(), labels[:count].copy()

    def _base(self, purpose: int, epoch: int) -> np.uint64:
        return np.uint64(stream_start(self.seed, purpose, epoch))


def divided(chosen: Chosen, size: int) -> list[Chosen]:
    """Parts of at most `size` instances (0: all in one), longest first, so that rows of a part need little padding."""
    size = size or len(chosen)
    lengths = chosen.spans[:, 1] + chosen.spans[:, 3]
    order = np.argsort(-lengths, kind="stable") if size < len(chosen) else np.arange(len(chosen))
    return [chosen.take(order[part]) for part in parts(len(chosen), size)]


def _columns(chosen: Chosen) -> tuple[NDArray[np.int64], ...]:
    return chosen.epochs, chosen.indexes, chosen.spans, chosen.labels
