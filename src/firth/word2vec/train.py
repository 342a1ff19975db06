"""Training from a word store to vectors: blocks, progress, metrics, checkpoints, resume."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.errors import DataError, FirthError
from firth.progress import Meter, compact
from firth.tokens.store import WordStore
from firth.training.checkpoint import Checkpoints
from firth.training.fingerprint import TrainingIdentity
from firth.training.lock import run_lock
from firth.training.metrics_log import MetricsLog
from firth.training.signals import StopRequest, leave, stop_on_sigterm
from firth.word2vec.continuation import Continuation
from firth.word2vec.engine import Result
from firth.word2vec.engines import make_engine
from firth.word2vec.matrices import Floats
from firth.word2vec.schedule import Schedule, train_block

OnMetrics = Callable[[int, dict[str, float]], None]
"""Called with (corpus words seen, metrics) after each block."""

CODE = ["tokens", "training", "word2vec"]
"""Packages whose code is part of a training's fingerprint."""


@dataclass(frozen=True)
class TrainedVectors:
    """Matrices as `Engine.vectors` names them, the curve, final scalars by metric name, words of an epoch, epochs."""

    matrices: dict[str, Floats]
    history: list[dict[str, Any]]
    metrics: dict[str, float]
    words: int
    epochs: int


class Identity(TrainingIdentity):
    """Which training this is: same fingerprint, same vectors (with one thread, on one CPU family)."""

    @classmethod
    def of(cls, store: WordStore, model: ModelName, settings: Word2Vec, start: Continuation | None = None) -> Identity:
        """The identity of training `model` on `store`; only parameters that the vectors depend on are part of it.

        `start` holds the vectors that the training goes on from, if any.
        """
        stage = f"word2vec@{model}"
        params = settings.model_dump(exclude={"checkpoint_seconds", "skipgram", "cbow"})
        params |= settings.recipe(model).model_dump()
        inputs = {"data/tokens/words": store.digest} | ({"init": start.digest} if start else {})
        return cls.with_code(stage, params, inputs, CODE, {"vocabulary": store.manifest["vocabulary"]["sha256"]})


def train(
    store: WordStore,
    model: ModelName,
    settings: Word2Vec,
    run_folder: Path,
    on_metrics: OnMetrics,
    start: Continuation | None = None,
    lightning: bool = True,
) -> TrainedVectors:
    """Train `model` on `store`, going on from the newest checkpoint in `run_folder` if there is one.

    A training that was broken off and goes on ends with the same bytes as an unbroken one (`threads` 1). `start`
    holds older vectors to begin with; `store` then has its vocabulary. Without `lightning` a plain loop runs the same
    steps to the same bytes, and the seconds that importing Lightning takes are saved.

    Raises:
        DataError: nothing to train on, or nothing in it to learn from.
        IntegrityError: the stream does not fit the vocabulary, or the checkpoint is another training's.
        FirthError: the loss is not finite; the last good checkpoint stays.
        SystemExit: 143, after SIGTERM and a checkpoint.
    """
    if store.manifest["splits"]["train"]["words"] == 0 or len(store.train) == 0:
        raise DataError("the training stream is empty", store.folder)
    with run_lock(run_folder), stop_on_sigterm() as stop:
        return _Training(store, model, settings, run_folder, on_metrics, stop, start, lightning).run()


@dataclass
class _Training:
    store: WordStore
    model: ModelName
    settings: Word2Vec
    run_folder: Path
    on_metrics: OnMetrics
    stop: StopRequest
    start: Continuation | None
    lightning: bool
    history: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    epoch_loss: float = 0.0
    epoch_examples: int = 0
    examples: int = 0
    last_loss: float | None = None
    saved_at: float = 0.0
    saved_step: int = -1

    def __post_init__(self) -> None:
        self.schedule = Schedule.of(
            self.store.train, self.settings.block_words, self.settings.recipe(self.model).epochs
        )
        self.engine = make_engine(self.model, self.store.vocabulary, self.settings)
        self.identity = Identity.of(self.store, self.model, self.settings, self.start)
        self.checkpoints = Checkpoints(self.run_folder / "checkpoints", self.identity)
        self.log = MetricsLog(self.run_folder)
        self.meter = Meter(self.identity.stage, self.schedule.total_words, "words")

    def run(self) -> TrainedVectors:
        self._resume()
        try:
            if self.done < len(self.schedule):
                self._fit()
        finally:
            self.engine.close()
        if self.saved_step != self.done:
            self._save()
        if self.stop.requested:
            leave()
        if not self.examples:
            raise DataError(
                "nothing was learnt: no sentence has two words left; put more words on a line, or raise "
                f"word2vec.sample ({self.settings.sample})"
            )
        metrics = {} if self.last_loss is None else {"train/loss": self.last_loss}
        heldout = [row["heldout_loss"] for row in self.history if "heldout_loss" in row]
        if heldout:
            metrics["heldout/loss"] = heldout[-1]
        return TrainedVectors(
            self.engine.vectors(), self.history, metrics, self.schedule.epoch_words, self.schedule.epochs
        )

    def _fit(self) -> None:
        self.engine.evaluate(self.store.train[:0])  # compiles the kernel: the meter counts training only
        with self.meter:
            self.meter.resume_at(self.schedule.seen_before(self.done))
            self.saved_at = self.block_started = time.monotonic()
            if self.lightning:
                from firth.word2vec.module import Word2VecModule, run_steps

                run_steps(Word2VecModule(self.engine, self.store.train, self.schedule, self._after_step), self.done)
                return
            for step in range(self.done, len(self.schedule)):
                self._after_step(step, train_block(self.engine, self.store.train, self.schedule, step))

    def _resume(self) -> None:
        checkpoint = self.checkpoints.latest()
        if checkpoint is None:
            self.log.truncate(-1)
            if self.start:
                self.start.apply(self.engine)
            return
        self.engine.restore(checkpoint.arrays)
        state = checkpoint.state
        self.done = self.saved_step = checkpoint.step
        self.history = state["history"]
        self.epoch_loss, self.epoch_examples = state["epoch_loss"], state["epoch_examples"]
        self.examples = state["examples"]
        self.last_loss = state["last_loss"]
        seen = self.schedule.seen_before(self.done)
        self.log.truncate(seen)
        where = f"{compact(seen)} of {compact(self.schedule.total_words)} words"
        print(f"{self.identity.stage}: goes on from its checkpoint at {where}", file=sys.stderr, flush=True)

    def _after_step(self, step: int, result: Result) -> None:
        now = time.monotonic()
        seconds, self.block_started = now - self.block_started, now
        words = self.schedule.seen_before(step + 1)
        if not math.isfinite(result.loss):
            raise FirthError(
                f"{self.identity.stage}: the loss is {result.loss} after {words} words; lower the learning rate "
                f"({self.engine.learning_rate}){self._kept()}"
            )
        rate = self.engine.rate_at(words, self.schedule.total_words)
        row: dict[str, Any] = {"step": words, "words": result.words, "learning_rate": rate, "loss": result.mean_loss}
        metrics = {
            "train/loss": result.mean_loss,
            "train/learning_rate": rate,
            "train/words_per_second": result.words / max(seconds, 1e-9),
        }
        self.epoch_loss += result.loss
        self.epoch_examples += result.examples
        self.examples += result.examples
        if (step + 1) % len(self.schedule.blocks) == 0:
            self.last_loss = Result(0, self.epoch_examples, self.epoch_loss).mean_loss
            self.epoch_loss, self.epoch_examples = 0.0, 0
            heldout = self.engine.evaluate(self.store.heldout)
            if heldout.examples:
                row["heldout_loss"] = metrics["heldout/loss"] = heldout.mean_loss
        self.history.append(row)
        self.done = step + 1
        self.log.append(words, metrics)
        self.on_metrics(words, metrics)
        self.meter.advance(result.words, f"loss {result.mean_loss:.4f}")
        if self.stop.requested:
            self._save()
            leave()
        if time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds:
            self._save()
        self.block_started = time.monotonic()

    def _kept(self) -> str:
        return f"; the checkpoint of step {self.saved_step} is kept" if self.saved_step > 0 else ""

    def _save(self) -> None:
        """Checkpoint what is done; matrices that are not finite are never saved."""
        matrices = self.engine.state
        if not all(np.isfinite(matrix.sum(dtype=np.float64)) for matrix in matrices.values()):
            raise FirthError(
                f"{self.identity.stage}: a vector is not finite after {self.schedule.seen_before(self.done)} words; "
                f"lower the learning rate ({self.engine.learning_rate}){self._kept()}"
            )
        state = {
            "history": self.history,
            "epoch_loss": self.epoch_loss,
            "epoch_examples": self.epoch_examples,
            "examples": self.examples,
            "last_loss": self.last_loss,
        }
        self.checkpoints.save(self.done, matrices, state)
        self.saved_at, self.saved_step = time.monotonic(), self.done
