"""Pretraining speed of BERT beside transformers': same size, batches, optimizer and precision, alternating runs.

    python -m bench.bert --quick             # mini, fp32, about 3 minutes on 2 cores
    python -m bench.bert --json speed.json   # mini and small, fp32 and bf16, five runs

The text is the token store of this clone (`data/tokens/pieces`, after `make demo`); without one it is made from the
prepared corpus or, with `FIRTH_DATA` set, from the Wikipedia articles there. Only training steps are timed, in tokens a
second of wall time, padding not counted. transformers' BertForPreTraining is given our batches ready made: once with
labels for every position, as its scripts do, and once with its head on the predicted positions only, as ours. Our side
makes its instances while it trains. A ratio is the median over the ratios of neighbouring runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from bench.word2vec import documents

from firth.bert.continuation import first_weights
from firth.bert.device import Device
from firth.bert.instances import Batch, Instances
from firth.bert.module import BertModule, Losses, run_steps
from firth.bert.optimizer import adamw, clip
from firth.bert.plan import Cursor
from firth.bert.spikes import Spikes
from firth.bert.steps import Step, Steps
from firth.bert.text import Text
from firth.config.bert import Bert, Optimizer, Tokenize, WordPiece
from firth.training.ahead import ahead
from firth.wordpiece.learn import make_tokenizer
from firth.wordpiece.store import TokenStore, build_store

STORE = Path("data/tokens/pieces")
WARM = 2
"""Steps before the clock starts."""


def settings_of(size: str, precision: str, threads: int) -> Bert:
    """The demo's batch of 32 sequences of 128 tokens."""
    return Bert.model_validate(
        {
            "size": size, "positions": 128, "length": 128, "batch": 32, "steps": 1000, "precision": precision,
            "accelerator": "cpu", "threads": threads, "optimizer": Optimizer(learning_rate=1e-4, warmup_steps=10),
        }
    )  # fmt: skip


class Ours:
    """The stage's own step, under Lightning, with instances made ahead."""

    def __init__(self, store: TokenStore, settings: Bert) -> None:
        self.settings, self.device = settings, Device.of(settings)
        text = Text.of(store.train)
        self.made = Steps(text, store.tokenizer, settings)
        self.instances = Instances(text, store.tokenizer, settings, settings.seed, True)
        self.model = first_weights(settings, store.tokenizer, None).train()
        self.optimizer = adamw(self.model, settings.optimizer)

    def steps(self, count: int) -> Iterator[Step]:
        """The first steps of a training."""
        cursor = Cursor()
        for number in range(count):
            step = self.made.at(number, cursor)
            cursor = step.after
            yield step

    def padded(self, count: int) -> Iterator[Batch]:
        """The same instances as rows with padding, for the peer."""
        cursor = Cursor()
        for _ in range(count):
            chosen, cursor = self.instances.following(cursor, self.settings.batch)
            yield from self.instances.batches(chosen, self.settings.micro_batch)

    def __call__(self, count: int) -> float:
        """Tokens a second of `count` steps."""
        ends: list[tuple[float, int]] = []

        def note(step: Step, _losses: Losses) -> None:
            ends.append((time.perf_counter(), step.tokens))

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
        return sum(tokens for _, tokens in ends[WARM:]) / (ends[-1][0] - ends[WARM - 1][0])


class Transformers:
    """BertForPreTraining of the same shape, on batches that are ready."""

    def __init__(self, ours: Ours, full_logits: bool) -> None:
        from transformers import BertConfig, BertForPreTraining

        shape = ours.model.architecture
        self.settings, self.device, self.full_logits = ours.settings, ours.device, full_logits
        self.model = BertForPreTraining(
            BertConfig(
                vocab_size=shape.vocabulary, hidden_size=shape.hidden, num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads, intermediate_size=shape.intermediate,
                max_position_embeddings=shape.positions,
            )
        ).train()  # fmt: skip
        self.optimizer = adamw(self.model, self.settings.optimizer)
        self.batches = list(ours.padded(16))

    def loss(self, batch: Batch) -> torch.Tensor:
        """Of both tasks."""
        inputs = {"input_ids": batch.ids, "token_type_ids": batch.segments, "attention_mask": batch.mask}
        if self.full_logits:
            labels = torch.full(batch.ids.shape, -100).flatten()
            labels[batch.predicted] = batch.masked_lm_labels
            labels = labels.view(batch.ids.shape)
            outputs = self.model(**inputs, labels=labels, next_sentence_label=batch.next_sentence_labels)
            return outputs.loss  # type: ignore[no-any-return]
        hidden, pooled = self.model.bert(**inputs)[:2]
        logits, pairs = self.model.cls(hidden.flatten(0, 1)[batch.predicted], pooled)
        words = F.cross_entropy(logits.float(), batch.masked_lm_labels)
        assert batch.next_sentence_labels is not None
        return words + F.cross_entropy(pairs.float(), batch.next_sentence_labels)

    def __call__(self, count: int) -> float:
        """Tokens a second of `count` steps."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.settings.threads)
        started, tokens = time.perf_counter(), 0
        for number in range(WARM + count):
            if number == WARM:
                started, tokens = time.perf_counter(), 0
            batch = self.batches[number % len(self.batches)]
            self.optimizer.zero_grad()
            with self.device.autocast():
                loss = self.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            clip(self.model, self.settings.optimizer.clip)
            self.optimizer.step()
            loss.item()
            tokens += batch.tokens
        seconds = time.perf_counter() - started
        torch.set_num_threads(before)
        return tokens / seconds


def training(store: TokenStore, settings: Bert, runs: int, steps: int) -> Iterator[dict[str, Any]]:
    """Ours against both ways of theirs."""
    ours = Ours(store, settings)
    sides = (ours, Transformers(ours, full_logits=True), Transformers(ours, full_logits=False))
    rounds = [tuple(side(steps) for side in sides) for _ in range(runs)]
    for column, what in ((1, "as its scripts do"), (2, "head on predicted positions")):
        yield {
            "case": f"{settings.size} {settings.precision}, {settings.threads} thread(s), transformers {what}",
            "metric": "tokens/s",
            "ours": round(statistics.median(r[0] for r in rounds)),
            "peer": round(statistics.median(r[column] for r in rounds)),
            "ratio": round(statistics.median(r[0] / r[column] for r in rounds), 2),
            "runs": [[round(r[0]), round(r[column])] for r in rounds],
        }


def making(store: TokenStore, settings: Bert, runs: int, consumed: float) -> dict[str, Any]:
    """Instances made a second on one thread, against the `consumed` tokens a second of the model."""
    ours = Ours(store, settings)
    tokens = np.mean([step.tokens / step.instances for step in ours.steps(50)])
    found = []
    for _ in range(runs):
        started = time.perf_counter()
        count = sum(step.instances for step in ours.steps(500))
        found.append(count / (time.perf_counter() - started))
    needed = consumed / float(tokens)
    return {
        "case": f"instances made on one thread, against what {settings.size} {settings.precision} consumes",
        "metric": "instances/s",
        "ours": round(statistics.median(found)),
        "peer": round(needed, 1),
        "ratio": round(statistics.median(found) / needed, 1),
        "runs": [[round(one), round(needed, 1)] for one in found],
    }


def token_store(folder: Path, words: int, vocabulary: int | None) -> TokenStore:
    """The clone's own, or one of about `words` words in `folder`; so, too, for a vocabulary that is asked for."""
    if STORE.is_dir() and vocabulary is None:
        return TokenStore.open(STORE)
    text = list(documents(words))
    tokenizer = make_tokenizer(text, WordPiece(vocabulary=vocabulary or 8000, alphabet=500)).tokenizer
    build_store(text, islice(text, 1), tokenizer, Tokenize(), folder)
    return TokenStore.open(folder)


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="mini in fp32 only, three runs")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of both sides")
    parser.add_argument("--steps", type=int, default=12, help="timed in each run")
    parser.add_argument("--words", type=int, default=1_000_000, help="how much text, where no token store is there")
    parser.add_argument("--vocabulary", type=int, help="pieces; default those of the token store, or 8000")
    parser.add_argument("--sizes", default="", help="such as mini,base; default mini (quick), mini and small")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    sizes = options.sizes.split(",") if options.sizes else ["mini"] if options.quick else ["mini", "small"]
    cases = [(size, precision) for size in sizes for precision in (["fp32"] if options.quick else ["fp32", "bf16"])]
    runs = 3 if options.quick else 5
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        store = token_store(Path(scratch) / "pieces", options.words, options.vocabulary)
        print(f"vocabulary {len(store.tokenizer)}, {runs} alternating runs of {options.steps} steps", flush=True)
        for size, precision in cases:
            settings = settings_of(size, precision, options.threads)
            found = list(training(store, settings, runs, options.steps))
            if not records:
                found.append(making(store, settings, runs, found[0]["ours"]))
            for record in found:
                print(
                    f"{record['case']}: {record['ours']:,} against {record['peer']:,} {record['metric']}, "
                    f"x{record['ratio']}",
                    flush=True,
                )
            records += found
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
