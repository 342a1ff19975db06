"""A BERT as an encoder: inputs of the four usages (figure 4 of the paper) and the features of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from firth.bert.attention import Packed
from firth.bert.folder import Bert
from firth.bert.model import Encoder as Model
from firth.bert.pretraining.device import Device
from firth.config.tasks import LONGEST_ANSWER, SPECIAL_PIECES
from firth.encode.use import width
from firth.errors import DataError
from firth.progress import Meter
from firth.tasks.encoders.device import CPU
from firth.tasks.encoders.reading import Around, Cut, Floats, Reading, Windows
from firth.tasks.encoders.sequences import Batch, Input, Several, in_rows, one_behind_the_other, tokens_of
from firth.tasks.encoders.windows import windows as cut_into
from firth.training.products import fast_products

BATCH_TOKENS = 4096
"""Tokens, padding included, that are read at a time when nothing is trained."""

Read = TypeVar("Read")
Pooling = Literal["cls", "mean"]
Layers = Literal["last", "sum4", "concat4"]


class BertEncoder:
    """A BERT with a choice of layers and pooling; the model's own number of positions bounds every length.

    One with a single type of segments, as RoBERTa has, reads a second text as of that type, too, as RoBERTa does.
    Its layers are computed on `device`, where the encoder of `bert` is put, and in that one's precision; rows of
    features are float32.
    """

    def __init__(
        self,
        bert: Bert,
        pooling: Pooling = "mean",
        layers: Layers = "last",
        title: str = "encode",
        workers: int = 1,
        device: Device = CPU,
    ) -> None:
        self.bert, self.pooling, self.layers, self.title, self.workers = bert, pooling, layers, title, workers
        self.device = device
        self.width = width(bert, layers)
        bert.model.encoder.to(device.kind)

    def texts(self, texts: Sequence[str], length: int) -> Reading:
        """[CLS] text [SEP], pooled."""
        return self._pooled([(text, None) for text in texts], length)

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], length: int) -> Reading:
        """[CLS] first [SEP] second [SEP], pooled."""
        return self._pooled(list(zip(firsts, seconds, strict=True)), length)

    def choices(self, contexts: Sequence[str], endings: Sequence[Sequence[str]], length: int) -> Reading:
        """[CLS] context [SEP] ending [SEP] for each ending, pooled (section 4.4)."""
        firsts = [context for context, listed in zip(contexts, endings, strict=True) for _ in listed]
        read = self.pairs(firsts, [ending for listed in endings for ending in listed], length)
        pairs, counts = iter(read.inputs), [len(listed) for listed in endings]
        inputs = [Several([next(pairs) for _ in range(count)]) for count in counts]
        cut = np.zeros(len(counts), np.bool_)
        if read.cut is not None:
            cut[np.repeat(np.arange(len(counts)), counts)[read.cut.examples]] = True
        return Reading(inputs, np.array(counts, np.int64), cut=self._cut(cut, length))

    def words(
        self,
        sentences: Sequence[Sequence[str]],
        length: int,
        around: Sequence[Around] | None = None,
        further: bool = False,
    ) -> Reading:
        """[CLS] pieces of the words [SEP]; a word's row is that of its first piece (section 5.3)."""
        tokenizer, most = self.bert.tokenizer, self._most(length) - 2
        around = around or [Around((), ())] * len(sentences)
        beside = (words for parts in around for words in parts)
        pieces = _once(tokenizer.words, chain.from_iterable([*sentences, *beside]))
        inputs, firsts, cut = [], [], []
        for sentence, (before, after) in zip(sentences, around, strict=True):
            whole = _pieces_of(sentence, pieces)
            own = whole[:most]
            begins = [nth == 0 for word in sentence for nth in range(len(pieces[word]))][:most]
            left, right = _beside(_pieces_of(before, pieces), _pieces_of(after, pieces), most - len(own))
            ids = [tokenizer.cls, *left, *own, *right, tokenizer.sep]
            rows = [1 + len(left) + place for place, begun in enumerate(begins) if begun or further]
            inputs.append(Input(ids, [0] * len(ids), rows))
            firsts += begins
            cut.append(len(own) < len(whole))
        counts = np.array([len(item.rows or ()) for item in inputs], dtype=np.int64)
        begun = np.array(firsts, dtype=np.bool_) if further else None
        return Reading(inputs, counts, firsts=begun, cut=self._cut(cut, length))

    def spans(
        self, questions: Sequence[str], contexts: Sequence[str], length: int, windows: Windows | None = None
    ) -> Reading:
        """[CLS] question [SEP] context [SEP], a row for each of the context's pieces.

        Only the context is cut, or with `windows` the question too, and the context is read in several inputs. Where
        the model has fewer positions than `length`, windows are smaller, and so are the steps between them, as far as
        an answer of the greatest length is to be whole in one.

        Raises:
            DataError: the model's positions leave nothing for the context.
        """
        tokenizer, most = self.bert.tokenizer, self._most(length) - SPECIAL_PIECES
        if windows is not None and most <= windows.question:
            raise DataError(
                f"{self.title} reads {most + SPECIAL_PIECES} pieces at a time: with query_length {windows.question} "
                "nothing is left for the text; lower query_length"
            )
        asking, placed = _once(tokenizer.ids, questions), _once(tokenizer.placed, contexts)
        inputs, spans, owners, begins, cut = [], [], [], [], []
        for number, (question, context) in enumerate(zip(questions, contexts, strict=True)):
            asked = asking[question][: most if windows is None else windows.question]
            ids, offsets = placed[context]
            room = most - len(asked)
            parts = [(0, min(room, len(ids)))]
            whole = len(asked) == len(asking[question])
            cut.append(not whole or (windows is None and len(ids) > room))
            if windows is not None:
                parts = cut_into(len(ids), room, min(windows.stride, max(1, room - LONGEST_ANSWER + 1)))
            for begin, end in parts:
                row = len(asked) + 2
                inputs.append(
                    Input(
                        [tokenizer.cls, *asked, tokenizer.sep, *ids[begin:end], tokenizer.sep],
                        self._segments([0] * row + [1] * (end - begin + 1)),
                        range(row, row + end - begin),
                    )
                )
                spans.append(offsets[begin:end])
                owners.append(number)
                begins.append(begin)
        counts = np.array([len(part) for part in spans], dtype=np.int64)
        if windows is None:
            return Reading(inputs, counts, spans, cut=self._cut(cut, length))
        longer = Cut(np.array(cut, np.bool_), windows.question, "query_length")
        return Reading(inputs, counts, spans, np.array(owners, np.int64), np.array(begins, np.int64), cut=longer)

    def features(self, reading: Reading) -> Floats:
        """The rows of frozen features, computed in batches of like length."""
        return self.features_of(self.bert.model.encoder, reading)

    def features_of(self, model: Model, reading: Reading, head: nn.Linear | None = None) -> Floats:
        """As `features`, of a fine-tuned copy of the encoder; with its `head` what that makes of them.

        The features themselves are then kept no longer than a batch: of all rows of SQuAD they are gigabytes. Read as
        in the training, without padding, a fine-tuned model is half as fast again on a CPU; frozen features keep the
        digits that they have had.
        """
        starts = reading.starts
        out: Floats = np.empty((int(starts[-1]), self.width if head is None else head.out_features), np.float32)
        tokens = sum(map(tokens_of, reading.inputs))
        model.eval()
        batches = list(_alike(reading.inputs))

        def read(batch: list[int]) -> Floats:
            with torch.inference_mode():
                rows = self.forward(model, [reading.inputs[number] for number in batch], packed=head is not None)
                found: Floats = (rows if head is None else head(rows)).cpu().numpy()
            return found

        # Batches side by side, one thread each: two threads in one product spend much of their time waiting for each
        # other on a busy machine, and sums would depend on their number.
        with threads(1), ThreadPoolExecutor(self.workers) as pool, Meter(self.title, tokens, "tokens") as meter:
            for batch, found in zip(batches, pool.map(read, batches), strict=True):
                done = 0
                for number in batch:
                    out[starts[number] : starts[number + 1]] = found[done : done + reading.counts[number]]
                    done += int(reading.counts[number])
                meter.advance(sum(tokens_of(reading.inputs[number]) for number in batch))
        return out

    def forward(self, model: Model, examples: Sequence[Input | Several], packed: bool = False) -> Tensor:
        """The rows of `examples`, one behind the other: (rows, width) on the encoder's device, differentiable.

        `packed`, the sequences go through the model without padding.
        """
        inputs = [one for item in examples for one in (item.sequences if isinstance(item, Several) else (item,))]
        batch = one_behind_the_other(inputs) if packed else in_rows(inputs, self.bert.tokenizer.pad)
        batch = batch.to(self.device.kind)
        with self.device.autocast():
            hidden = self._hidden(model, batch).float()  # (N, L, width) or (T, width)
        if inputs[0].rows is not None:
            return batch.rows(hidden, [item.rows or () for item in inputs])
        return batch.firsts(hidden) if self.pooling == "cls" else batch.means(hidden)

    def _hidden(self, model: Model, batch: Batch) -> Tensor:
        ids, segments, layout = batch.ids, batch.segments, batch.layout
        if isinstance(layout, Packed):
            if self.layers == "last":
                return model.packed(ids, segments, layout)
            outputs = model.packed_layers_of(ids, segments, layout)
        else:
            if self.layers == "last":
                return model(ids, segments, layout)  # type: ignore[no-any-return]
            outputs = model.layers_of(ids, segments, layout)
        return torch.cat(outputs[-4:], dim=-1) if self.layers == "concat4" else torch.stack(outputs[-4:]).sum(dim=0)

    def _pooled(self, examples: Sequence[tuple[str, str | None]], length: int) -> Reading:
        """One or two texts as one sequence, pooled."""
        tokenizer, most = self.bert.tokenizer, self._most(length)
        inputs, cut = [], []
        for first, second in examples:
            read = tokenizer.encode(first, second, length=most)
            texts = [first] if second is None else [first, second]
            inputs.append(Input(read.ids, self._segments(read.segments)))
            # What fills all the room may just fit: only then its pieces are counted.
            cut.append(len(read.ids) == most and sum(map(len, tokenizer.ids(texts))) + len(texts) + 1 > most)
        return Reading(inputs, np.ones(len(inputs), np.int64), cut=self._cut(cut, length))

    def _segments(self, segments: list[int]) -> list[int]:
        return segments if self.bert.model.architecture.segments > 1 else [0] * len(segments)

    def _cut(self, examples: Sequence[bool] | NDArray[np.bool_], length: int) -> Cut:
        most = self._most(length)
        return Cut(np.array(examples, np.bool_), most, "length" if most == length else "positions")

    def _most(self, length: int) -> int:
        return min(length, self.bert.model.architecture.positions)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch's number of threads for a while: sums are added in another order with another number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with fast_products():
            yield
    finally:
        torch.set_num_threads(before)


def _pieces_of(words: Sequence[str], pieces: Mapping[str, list[int]]) -> list[int]:
    return [piece for word in words for piece in pieces[word]]


def _beside(before: list[int], after: list[int], room: int) -> tuple[list[int], list[int]]:
    """The nearest of the pieces before and behind, half of the room each; what one side leaves, the other takes."""
    left = min(len(before), max(room // 2, room - len(after)))
    return before[len(before) - left :], after[: room - left]


def _once(read: Callable[[Sequence[str]], list[Read]], texts: Iterable[str]) -> dict[str, Read]:
    """What `read` makes of each text, which is read once however often it is there."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, read(distinct), strict=True))


def _alike(inputs: Sequence[Input | Several]) -> Iterator[list[int]]:
    """Numbers of inputs in batches of like length, longest first: what fits in memory once, fits to the end."""
    batch: list[int] = []
    for number in sorted(range(len(inputs)), key=lambda n: (-tokens_of(inputs[n]), n)):
        if batch and (len(batch) + 1) * tokens_of(inputs[batch[0]]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
