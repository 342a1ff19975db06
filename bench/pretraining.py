"""The sides of BERT's benchmarks: our training, and transformers' BertForPreTraining as its scripts use it."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from bench.word2vec import documents

from firth.bert.data.instances import Batch, Instances
from firth.bert.data.plan import Cursor
from firth.bert.data.shares import Counts
from firth.bert.data.steps import Step, Steps
from firth.bert.data.text import Text
from firth.bert.optimizers.optimizer import adamw, clip
from firth.bert.optimizers.spikes import Spikes
from firth.bert.pretraining.continuation import first_weights
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.meters import Work, peak
from firth.bert.pretraining.module import BertModule, Losses, run_steps
from firth.choices import Size
from firth.config.bert import Bert, Optimizer, Tokenize, WordPiece
from firth.training.ahead import ahead
from firth.wordpiece.learn import make_tokenizer
from firth.wordpiece.store import TokenStore, build_store
from firth.wordpiece.tokenizer import Tokenizer

STORE = Path("data/tokens/pieces")
WARM = 3
"""Steps before the clock starts: code is compiled, memory found."""

STEP_TOKENS = {"cpu": 4096, "cuda": 65_536}
"""Room of a step: 32 sequences of 128 tokens, or 512."""

LARGE_STEP_TOKENS = 1024
"""On a CPU, of the sizes that take seconds for each step."""

PEER_TOKENS = 32_768
"""Of a peer's micro batch on a GPU: with logits for every position more do not fit into 80 GB."""

Accelerator = Literal["cpu", "cuda"]


class Speed(NamedTuple):
    """Of one run, a second of wall time: tokens without padding, operations as `meters.Work` counts them."""

    tokens: float
    operations: float


def settings_of(size: Size, precision: str, threads: int, length: int = 128, accelerator: Accelerator = "cpu") -> Bert:
    """The demo's training on a CPU; on a GPU packed, compiled, and in larger steps."""
    gpu = accelerator == "cuda"
    room = LARGE_STEP_TOKENS if size in ("base", "large") and not gpu else STEP_TOKENS[accelerator]
    return Bert.model_validate(
        {
            "size": size, "positions": length, "length": length, "batch": room // length, "steps": 1000,
            "precision": precision, "accelerator": accelerator, "threads": threads, "packing": gpu, "compile": gpu,
            "optimizer": Optimizer(learning_rate=1e-4, warmup_steps=10),
        }
    )  # fmt: skip


class Ours:
    """The stage's own step, under Lightning, with instances made ahead."""

    def __init__(self, store: TokenStore, settings: Bert) -> None:
        self.settings, self.device = settings, Device.of(settings)
        text = Text.of(store.train)
        self.made = Steps(text, store.tokenizer, settings)
        self.instances = Instances(text, store.tokenizer, settings, settings.seed, settings.next_sentence)
        self.model = first_weights(settings, store.tokenizer, None).to(self.device.kind).train()
        self.optimizer = adamw(self.model, settings.optimizer)
        self.work = Work.of(self.model.architecture, settings.next_sentence)

    def steps(self, count: int) -> Iterator[Step]:
        """The first steps of a training."""
        cursor = Cursor()
        for number in range(count):
            step = self.made.at(number, cursor)
            cursor = step.after
            yield step._replace(batches=[self.device.pinned(batch) for batch in step.batches])

    def rows(self) -> int:
        """Instances of a step, with packing as many as have that many tokens."""
        room = self.settings.batch * self.settings.length
        return round(room / self.made.phases[0].mean) if self.settings.packing else self.settings.batch

    def padded(self, count: int, rows: int, micro_batch: int = 0, length: int = 0) -> list[list[Batch]]:
        """Steps of so many instances as rows with padding, to `length` or else to the longest of a micro batch."""
        cursor, found = Cursor(), []
        for _ in range(count):
            chosen, cursor = self.instances.following(cursor, rows)
            found.append(list(self.instances.batches(chosen, micro_batch, length)))
        return found

    def __call__(self, count: int) -> Speed:
        """The speed over `count` steps."""
        ends: list[tuple[float, Counts]] = []

        def note(step: Step, _losses: Losses) -> None:
            ends.append((time.perf_counter(), step.counts))

        rate = self.settings.optimizer.learning_rate
        module = BertModule(
            self.model,
            self.optimizer,
            self.settings,
            self.device,
            lambda _step: rate,
            Spikes(0.0),
            note,
            lambda: False,
        )
        with self.device.reproducible(self.settings.threads), closing(ahead(self.steps(WARM + count), 4)) as steps:
            run_steps(module, steps)
        return speed_of(self.work, [counts for _, counts in ends[WARM:]], ends[-1][0] - ends[WARM - 1][0])


class Rows:
    """A training by a plain loop over rows with padding, which are ready on the device before the clock starts."""

    def __init__(self, ours: Ours, model: torch.nn.Module, steps: Sequence[Sequence[Batch]]) -> None:
        self.settings, self.device, self.work = ours.settings, ours.device, ours.work
        self.model: Any = model.to(self.device.kind).train()
        self.optimizer = adamw(self.model, self.settings.optimizer)
        self.batches = [[_moved(batch, self.device) for batch in step] for step in steps]

    @property
    def padding(self) -> float:
        """Share of the tokens that are computed for nothing."""
        counts = [counts_of(batch) for step in self.batches for batch in step]
        return 1.0 - sum(one.tokens for one in counts) / sum(one.computed for one in counts)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Of both tasks, a mean over predictions and pairs."""
        raise NotImplementedError

    def __call__(self, count: int) -> Speed:
        """The speed over `count` steps."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.settings.threads)
        started, counts = time.perf_counter(), list[Counts]()
        for number in range(WARM + count):
            if number == WARM:
                started, counts = time.perf_counter(), []
            step = self.batches[number % len(self.batches)]
            self.optimizer.zero_grad()
            total = torch.zeros((), device=self.device.kind)
            for batch in step:
                with self.device.autocast():
                    loss = self.loss(batch) / len(step)
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
                counts.append(counts_of(batch))
            clip(self.model, self.settings.optimizer.clip)
            self.optimizer.step()
            total.item()
        seconds = time.perf_counter() - started
        torch.set_num_threads(before)
        return speed_of(self.work, counts, seconds)


class Transformers(Rows):
    """BertForPreTraining of the same shape, with SDPA and padding to the longest row of a batch."""

    def __init__(self, ours: Ours, full_logits: bool) -> None:
        from transformers import BertConfig, BertForPreTraining

        shape = ours.model.architecture
        model = BertForPreTraining(
            BertConfig(
                vocab_size=shape.vocabulary, hidden_size=shape.hidden, num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads, intermediate_size=shape.intermediate,
                max_position_embeddings=shape.positions,
            )
        )  # fmt: skip
        self.full_logits = full_logits
        rows, most = ours.rows(), PEER_TOKENS // ours.settings.length
        micro_batch = -(-rows // -(-rows // most)) if ours.device.kind == "cuda" else 0
        super().__init__(ours, model, ours.padded(16, rows, micro_batch))

    def loss(self, batch: Batch) -> torch.Tensor:
        """Of both tasks."""
        inputs = {"input_ids": batch.ids, "token_type_ids": batch.segments, "attention_mask": batch.mask}
        if self.full_logits:
            labels = torch.full(batch.ids.shape, -100, device=self.device.kind).flatten()
            labels[batch.predicted] = batch.masked_lm_labels
            labels = labels.view(batch.ids.shape)
            outputs = self.model(**inputs, labels=labels, next_sentence_label=batch.next_sentence_labels)
            return outputs.loss  # type: ignore[no-any-return]
        hidden, pooled = self.model.bert(**inputs)[:2]
        logits, pairs = self.model.cls(hidden.flatten(0, 1)[batch.predicted], pooled)
        words = F.cross_entropy(logits.float(), batch.masked_lm_labels)
        assert batch.next_sentence_labels is not None
        return words + F.cross_entropy(pairs.float(), batch.next_sentence_labels)


def counts_of(batch: Batch) -> Counts:
    """Of rows with padding."""
    rows, width = batch.ids.shape
    squares = rows * width**2 if batch.mask is None else int(batch.mask.sum(1).square().sum())
    return Counts(batch.tokens, len(batch.predicted), rows, rows * width, squares)


def _moved(batch: Batch, device: Device) -> Batch:
    values: list[Any] = [value.to(device.kind) if isinstance(value, torch.Tensor) else value for value in batch]
    return Batch(*values)


def speed_of(work: Work, steps: Sequence[Counts], seconds: float) -> Speed:
    """Of what was done in so much time."""
    return Speed(sum(one.tokens for one in steps) / seconds, sum(map(work.training, steps)) / seconds)


def compared(case: str, rounds: Sequence[tuple[Speed, Speed]], ours: Ours) -> list[dict[str, Any]]:
    """Records of (ours, peer) in neighbouring runs: real tokens a second, and the share of the device's peak."""
    with ours.device.reproducible(ours.settings.threads):  # where the peak has to be measured, as the training is
        most = peak(ours.device)
    found = []
    for metric, digits, runs in (
        ("tokens/s", None, [(one.tokens, other.tokens) for one, other in rounds]),
        ("MFU", 4, [(one.operations / most, other.operations / most) for one, other in rounds]),
    ):
        found.append(
            {
                "case": case,
                "metric": metric,
                "ours": round(statistics.median(one for one, _ in runs), digits),
                "peer": round(statistics.median(other for _, other in runs), digits),
                "ratio": round(statistics.median(one / other for one, other in runs), 2),
                "runs": [[round(one, digits), round(other, digits)] for one, other in runs],
            }
        )
    return found


def say(record: dict[str, Any]) -> None:
    """One line of the table."""
    ours, peer, metric = record["ours"], record["peer"], record["metric"]
    figures = f"{ours:.1%} against {peer:.1%}" if metric == "MFU" else f"{ours:,.0f} against {peer:,.0f}"
    print(f"{record['case']}: {figures} {metric}, x{record['ratio']}", flush=True)


def write(records: list[dict[str, Any]], path: Path | None) -> None:
    """The records as JSON, if a path is given."""
    if path is not None:
        path.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def token_store(folder: Path, words: int, vocabulary: int | None) -> TokenStore:
    """The clone's own, or one of about `words` words in `folder`; so, too, for a vocabulary that is asked for."""
    if STORE.is_dir() and vocabulary is None:
        return TokenStore.open(STORE)
    text = list(documents(words))
    tokenizer = make_tokenizer(text, WordPiece(vocabulary=vocabulary or 8000, alphabet=500)).tokenizer
    build_store(text, islice(text, 1), tokenizer, Tokenize(), folder)
    return TokenStore.open(folder)


def drawn_store(folder: Path, words: int, vocabulary: int) -> TokenStore:
    """Of drawn words, where there is no text: 20 in a sentence, 5 to 60 sentences in a document, a Zipf distribution.

    The speed of a training depends on lengths and on the size of the vocabulary, not on what the words mean.
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = [f"w{number}" for number in range(vocabulary - len(special))]
    weights = 1.0 / np.arange(1, len(names) + 1)
    chance = np.random.default_rng(1)
    drawn = chance.choice(len(names), size=(words // 20, 20), p=weights / weights.sum()).tolist()
    sentences = [" ".join(names[word] for word in row) for row in drawn]
    ends = np.cumsum(chance.integers(5, 60, len(sentences)))
    text = [sentences[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < len(sentences)]
    build_store(text, islice(text, 1), Tokenizer([*special, *names]), Tokenize(), folder)
    return TokenStore.open(folder)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of every benchmark of BERT: where it runs and on what text."""
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of both sides, on a CPU")
    parser.add_argument("--store", type=Path, help="token store to train on; default the clone's, or one of its text")
    parser.add_argument("--drawn", action="store_true", help="draw words in place of text")
    parser.add_argument("--words", type=int, default=1_000_000, help="how much text, where no token store is there")
    parser.add_argument("--vocabulary", type=int, help="pieces; default those of the token store, or 8000")
    parser.add_argument("--json", type=Path, help="write the records there")


@contextmanager
def store_of(options: argparse.Namespace) -> Iterator[TokenStore]:
    """The token store that is asked for; one that has to be made first is gone afterwards."""
    with tempfile.TemporaryDirectory() as scratch:
        if options.store:
            yield TokenStore.open(options.store)
        elif options.drawn:
            yield drawn_store(Path(scratch) / "pieces", options.words, options.vocabulary or 30_522)
        else:
            yield token_store(Path(scratch) / "pieces", options.words, options.vocabulary)
