"""Pretraining from a token store to a model: steps, looks at held-out text, progress, checkpoints, exact resume."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firth.bert.continuation import first_weights, trained_heads
from firth.bert.device import Device
from firth.bert.evaluation import HeldOut
from firth.bert.folder import Bert
from firth.bert.instances import Instances
from firth.bert.optimizer import adamw, learning_rate, moments, restore
from firth.bert.plan import Cursor
from firth.bert.text import Text
from firth.config import bert as config
from firth.errors import DataError, FirthError
from firth.progress import Meter, compact
from firth.training.ahead import ahead
from firth.training.checkpoint import Checkpoints
from firth.training.fingerprint import TrainingIdentity
from firth.training.lock import run_lock
from firth.training.metrics_log import MetricsLog
from firth.training.signals import StopRequest, leave, stop_on_sigterm
from firth.wordpiece.store import TokenStore

if TYPE_CHECKING:
    from firth.bert.module import Losses, Step

OnMetrics = Callable[[int, dict[str, float]], None]
"""Called with (step, metrics) for each row of the history."""

CODE = ["bert", "training", "wordpiece"]
"""Packages whose code is part of a training's fingerprint."""

ROW_STEPS = 10
"""Steps between two rows of the history."""

STEPS_AHEAD = 4
"""Steps whose instances are made ahead."""

HELDOUT_SEED = 20_181_011
"""Of the held-out instances: the same ones under every seed of the training."""

SAMPLE = 512
"""Instances from which the length of an instance is estimated, for the progress line."""


@dataclass(frozen=True)
class Pretrained:
    """The model, the curve, the final scalars by metric name, tokens seen (without padding), steps."""

    bert: Bert
    history: list[dict[str, Any]]
    metrics: dict[str, float]
    tokens: int
    steps: int


class Identity(TrainingIdentity):
    """Which training this is: same fingerprint, same weights (on one CPU family, with one build of torch)."""

    @classmethod
    def of(cls, store: TokenStore, settings: config.Bert, init_digest: str = "") -> Identity:
        """The identity of training on `store`, from the model of `init_digest` (sha256 of its weights) if there is one.

        Only parameters that the weights depend on are part of it: not where the model to go on from lies.
        """
        params = settings.model_dump(exclude={"checkpoint_seconds", "init", "init_sha256"})
        inputs = {"data/tokens/pieces": store.digest}
        if init_digest:
            inputs["bert.init"] = init_digest
        return cls.with_code("bert", params, inputs, CODE)


def pretrain(
    store: TokenStore,
    settings: config.Bert,
    run_folder: Path,
    on_metrics: OnMetrics,
    init: Bert | None = None,
    init_digest: str = "",
) -> Pretrained:
    """Train a model on `store`, going on from the newest checkpoint in `run_folder` if there is one.

    A training that was broken off and goes on ends with the same bytes as an unbroken one (on a CPU).

    Args:
        store: the tokens.
        settings: all of the training; `init` and `init_sha256` in it are the caller's to read and check.
        run_folder: checkpoints and metrics; one process at a time uses it, a second one waits.
        on_metrics: called for each row of the history.
        init: a model to go on from, in place of new weights.
        init_digest: sha256 of its weights, part of the training's identity; by default that of the settings.

    Raises:
        DataError: nothing to train on, or one document only where next sentences are to be predicted.
        ConfigError: a device that is not there; a model to go on from that does not fit.
        IntegrityError: the ids do not fit the vocabulary, or the checkpoint is another training's.
        FirthError: a loss or a gradient is not finite; the last good checkpoint stays.
        SystemExit: 143, after SIGTERM and a checkpoint.
    """
    if store.train.tokens == 0:
        raise DataError("the training side of the token store is empty", store.folder)
    identity = Identity.of(store, settings, (init_digest or settings.init_sha256) if init else "")
    device = Device.of(settings)
    with run_lock(run_folder), stop_on_sigterm() as stop, device.reproducible(settings.threads):
        return _Training(store, settings, run_folder, on_metrics, init, identity, device, stop).run()


@dataclass
class _Since:
    """What was gathered since the last row of the history."""

    mlm: float = 0.0
    predictions: int = 0
    nsp: float = 0.0
    pairs: int = 0
    tokens: int = 0


@dataclass
class _Training:
    store: TokenStore
    settings: config.Bert
    run_folder: Path
    on_metrics: OnMetrics
    init: Bert | None
    identity: Identity
    device: Device
    stop: StopRequest
    history: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    since: _Since = field(default_factory=_Since)
    seconds: float = 0.0
    cursor: Cursor = field(default_factory=Cursor)
    done: int = 0
    tokens: int = 0
    saved_at: float = 0.0
    saved_step: int = -1

    def __post_init__(self) -> None:
        settings, text = self.settings, Text.of(self.store.train)
        self.instances = Instances(text, self.store.tokenizer, settings, settings.seed, settings.next_sentence)
        self.heldout = HeldOut.of(self.store, settings, HELDOUT_SEED)
        first = first_weights(settings, self.store.tokenizer, self.init, self.store.unigrams)
        self.model = first.to(self.device.kind).train()
        self.optimizer = adamw(self.model, settings.optimizer)
        self.checkpoints = Checkpoints(self.run_folder / "checkpoints", self.identity.fingerprint)
        self.log = MetricsLog(self.run_folder)

    def run(self) -> Pretrained:
        if self.heldout is None:
            print(
                f"{self.identity.stage}: no held-out text, so nothing is measured on any", file=sys.stderr, flush=True
            )
        self._resume()
        if self.done < self.settings.steps:
            self._fit()
        if self.saved_step != self.done:
            self._save()
        if self.stop.requested:
            leave()
        heads = trained_heads(self.settings, self.init)
        bert = Bert(self.model.to("cpu").eval(), self.store.tokenizer, heads)
        return Pretrained(bert, self.history, self.metrics, self.tokens, self.done)

    def _fit(self) -> None:
        from firth.bert.module import BertModule, run_steps

        sample = self.instances.choose(0, np.arange(min(SAMPLE, len(self.instances.plan(0))), dtype=np.int64))
        row_tokens = self.settings.length - self.instances.longest + float(sample.spans[:, [1, 3]].sum(axis=1).mean())
        self.step_tokens = row_tokens * self.settings.batch
        self.meter = Meter(self.identity.stage, self.step_tokens * self.settings.steps, "tokens")
        module = BertModule(self.model, self.optimizer, self.settings, self.device, self._after_step)
        with self.meter, closing(ahead(self._steps(), STEPS_AHEAD)) as steps:
            self.meter.resume_at(self.step_tokens * self.done)
            self.saved_at = self.step_started = time.monotonic()
            run_steps(module, steps)

    def _steps(self) -> Iterator[Step]:
        from firth.bert.module import Step

        cursor, length = self.cursor, self.settings.length if self.settings.compile else 0
        for number in range(self.done, self.settings.steps):
            chosen, cursor = self.instances.following(cursor, self.settings.batch)
            batches = self.instances.batches(chosen, self.settings.micro_batch, length)
            yield Step(number, [self.device.pinned(batch) for batch in batches], cursor)

    def _resume(self) -> None:
        import torch

        checkpoint = self.checkpoints.latest()
        if checkpoint is None:
            self.log.truncate(-1)
            return
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(torch.from_numpy(checkpoint.arrays[name]))
        restore(self.model, self.optimizer, checkpoint.arrays, checkpoint.step)
        state = checkpoint.state
        self.done = self.saved_step = checkpoint.step
        self.history, self.metrics, self.tokens = state["history"], state["metrics"], state["tokens"]
        self.since, self.cursor = _Since(**state["since"]), Cursor(**state["cursor"])
        self.log.truncate(self.done)
        where = f"step {self.done} of {self.settings.steps} ({compact(self.tokens)} tokens)"
        print(f"{self.identity.stage}: goes on from its checkpoint at {where}", file=sys.stderr, flush=True)

    def _after_step(self, step: Step, losses: Losses) -> None:
        self.seconds += time.monotonic() - self.step_started
        self.done, self.cursor = step.number + 1, step.after
        tokens = sum(batch.tokens for batch in step.batches)
        self.tokens += tokens
        self.since.mlm += losses.mlm
        self.since.predictions += losses.predictions
        self.since.nsp += losses.nsp
        self.since.pairs += losses.pairs
        self.since.tokens += tokens
        last = self.done == self.settings.steps
        looks = self.heldout is not None and (last or self.done % self.settings.heldout.every == 0)
        if looks or last or self.done % ROW_STEPS == 0:
            self._row(looks)
        self.meter.advance(self.step_tokens, self._note())
        if self.stop.requested:
            self._save()
            leave()
        if time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds:
            self._save()
        self.step_started = time.monotonic()

    def _row(self, looks: bool) -> None:
        since, rate = self.since, learning_rate(self.done - 1, self.settings.steps, self.settings.optimizer)
        row: dict[str, Any] = {
            "step": self.done,
            "tokens": self.tokens,
            "learning_rate": rate,
            "mlm_loss": since.mlm / since.predictions,
            "nsp_loss": since.nsp / since.pairs if since.pairs else None,
        }
        self.metrics = {f"train/{name}": row[name] for name in ("mlm_loss", "nsp_loss") if row[name] is not None}
        shown = {"train/learning_rate": rate, "train/tokens_per_second": since.tokens / max(self.seconds, 1e-9)}
        if looks and self.heldout is not None:
            found = row["heldout"] = self.heldout.look(self.model, self.device)
            if not math.isfinite(found["mlm_loss"]):
                raise self._diverged(f"the held-out loss is {found['mlm_loss']}")
            names = ("mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "unigram_loss")
            held = {f"heldout/{name}": found[name] for name in names if found[name] is not None}
            held["heldout/mlm_gain"] = held["heldout/unigram_loss"] - held["heldout/mlm_loss"]
            shown |= held
            self.metrics |= held
        self.history.append(row)
        shown = self.metrics | shown
        self.log.append(self.done, shown)
        self.on_metrics(self.done, shown)
        self.since, self.seconds = _Since(), 0.0

    def _note(self) -> str:
        """The newest losses."""
        if not self.history:
            return ""
        row = self.history[-1]
        pairs = "" if row["nsp_loss"] is None else f", next sentence {row['nsp_loss']:.3f}"
        return f"masked words {row['mlm_loss']:.3f}{pairs}"

    def _save(self) -> None:
        """Checkpoint what is done; weights that are not finite are never saved."""
        weights = {name: parameter.detach().cpu().numpy() for name, parameter in self.model.named_parameters()}
        if not all(np.isfinite(array.sum(dtype=np.float64)) for array in weights.values()):
            raise self._diverged("a weight is not finite")
        state = {
            "history": self.history,
            "metrics": self.metrics,
            "since": asdict(self.since),
            "cursor": asdict(self.cursor),
            "tokens": self.tokens,
        }
        self.checkpoints.save(self.done, weights | dict(moments(self.model, self.optimizer)), state)
        self.saved_at, self.saved_step = time.monotonic(), self.done

    def _diverged(self, what: str) -> FirthError:
        return FirthError(
            f"{self.identity.stage}: {what} after step {self.done}; lower bert.optimizer.learning_rate "
            f"({self.settings.optimizer.learning_rate}); the last good checkpoint is kept"
        )
