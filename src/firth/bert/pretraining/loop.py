"""A training from step to step: looks at held-out text, rows, progress, checkpoints, exact resume."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firth.bert.data.plan import Cursor
from firth.bert.data.shares import Share
from firth.bert.data.steps import Step, Steps
from firth.bert.data.text import Text
from firth.bert.folder import Bert
from firth.bert.optimizers.optimizer import make_optimizer, moments, restore
from firth.bert.optimizers.schedule import Progress, Schedule
from firth.bert.optimizers.spikes import Spikes
from firth.bert.pretraining.continuation import first_weights, saved_weights, trained_heads
from firth.bert.pretraining.curve import Curve, OnMetrics
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.evaluation import HeldOut
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.joint import is_shared_out, placed, told, trained_model, weights_of
from firth.bert.pretraining.meters import Meters, Work
from firth.config import bert as config
from firth.errors import FirthError
from firth.progress import Meter, compact
from firth.training.ahead import ahead
from firth.training.checkpoint import Checkpoints
from firth.training.parts import put_away
from firth.training.processes import Processes, compare
from firth.training.signals import StopRequest, leave
from firth.wordpiece.store import TokenStore

if TYPE_CHECKING:
    from firth.bert.pretraining.module import Losses

ROW_STEPS = 10
"""Steps between two rows of the history."""

STEPS_AHEAD = 4
"""Steps whose instances are made ahead."""

RATES = "schedule.rates"
"""Among a checkpoint's arrays: the rate of each step, (steps,) float64, of a training by the clock."""

HISTORY = "curve.rows"
"""Among a checkpoint's arrays, once there is a row: the history, see `Curve.rows`."""

DIVERGED = 3.0
"""A training whose loss is so many times that of guessing blindly is ended: such weights do not come back."""

HELDOUT_SEED = 20_181_011
"""Of the held-out instances: the same ones under every seed of the training."""


@dataclass(frozen=True)
class Pretrained:
    """The model, the curve, the final scalars by metric name, tokens seen (without padding), steps.

    `rates` (steps,) are those of a training by the clock, or of one that repeats it; else None.
    """

    bert: Bert
    history: list[dict[str, Any]]
    metrics: dict[str, float]
    tokens: int
    steps: int
    rates: NDArray[np.float64] | None = None


class Training:
    """One process's part in a training; the first one, which alone has a run folder, keeps and tells what is found."""

    def __init__(
        self,
        store: TokenStore,
        settings: config.Bert,
        run_folder: Path | None,
        on_metrics: OnMetrics,
        init: Bert | None,
        identity: Identity,
        device: Device,
        stop: StopRequest,
        rates: NDArray[np.float64] | None,
        processes: Processes,
    ) -> None:
        self.settings, self.identity, self.device, self.stop = settings, identity, device, stop
        self.processes, self.first = processes, processes.first
        if processes.count > 1:
            device.use()
            compare(Identity.of(store, settings), processes)
        self.tokenizer, self.heads = store.tokenizer, trained_heads(settings, init)
        self.checkpoints = Checkpoints(run_folder / "checkpoints", identity, settings.keep) if run_folder else None
        with ThreadPoolExecutor(1) as pool:  # beside reading and checking the checkpoint, the text is planned
            latest = pool.submit(self.checkpoints.latest) if self.checkpoints else None
            share = Share(processes.rank, processes.count)
            self.steps = Steps(Text.of(store.train), store.tokenizer, settings, share)
            self.left = self.steps.remaining_tokens()
            self.heldout = HeldOut.of(store, settings, HELDOUT_SEED)
        self.saved = told(latest.result() if latest else None, processes)
        model = None
        if self.first and self.saved:
            model = saved_weights(settings, store.tokenizer, init, self.saved.arrays)
        elif self.first:
            model = first_weights(settings, store.tokenizer, init, store.unigrams)
        self.model = placed(model, settings, device, processes)
        self.optimizer = make_optimizer(self.model, settings.optimizer)
        predicted = "masked words" if settings.objective == "masked" else "next words"
        self.curve = Curve(run_folder or Path(), on_metrics, predicted)
        repeated = processes.tell(None if rates is None else rates.tolist())
        self.schedule = Schedule(settings, repeated)
        self.clocked = bool(settings.minutes) and repeated is None
        self.spikes = Spikes(settings.optimizer.skip_spikes, tells=self.first)
        self.done = Progress()
        self.cursor = Cursor()
        self.saved_step, self.saved_at, self.step_started, self.counted_at, self.rate = -1, 0.0, 0.0, 0.0, 0.0

    def run(self) -> Pretrained:
        if self.heldout is None and self.first:
            print(
                f"{self.identity.stage}: no held-out text, so nothing is measured on any", file=sys.stderr, flush=True
            )
        self._resume()
        if not self.schedule.over(self.done):
            self._fit()
        if self.saved_step != self.done.steps:
            self._save()
        if self.stop.requested:
            leave()
        bert = Bert(trained_model(self.model, self.settings), self.tokenizer, self.heads)
        rates = np.array(self.schedule.realised) if self.schedule.realised else None
        return Pretrained(bert, self.curve.history, self.curve.metrics, self.done.tokens, self.done.steps, rates)

    def _fit(self) -> None:
        from firth.bert.pretraining.module import BertModule, run_steps

        module = BertModule(
            self.model,
            self.optimizer,
            self.settings,
            self.device,
            self._rate_of,
            self.spikes,
            self._after_step,
            self._over,
            self.processes,
        )
        if not self.first:
            with closing(ahead(self._planned(), STEPS_AHEAD)) as steps:
                run_steps(module, self._until_over(steps))
            return
        self.meter = Meter(
            self.identity.stage, self._expected(), "tokens", 60.0 * self.settings.minutes * self.clocked or None
        )
        work = Work.of(self.model.architecture, self.settings.next_sentence)
        spent = self.curve.last("train/cost") if self.settings.price else 0.0
        self.meters = Meters(work, self.device, self.settings.devices, self.settings.price, spent)
        with self.meter, closing(ahead(self._planned(), STEPS_AHEAD)) as steps:
            self.meter.resume_at(self.done.tokens, self.done.seconds)
            self.saved_at = self.step_started = self.counted_at = time.monotonic()
            run_steps(module, self.meters.waiting(self._until_over(steps)))

    def _planned(self) -> Iterator[Step]:
        self.device.use()  # of this thread, too
        cursor = self.cursor
        for number in range(self.done.steps, self.settings.steps):
            step = self.steps.at(number, cursor)
            cursor = step.after
            yield step._replace(batches=[self.device.pinned(batch) for batch in step.batches])

    def _until_over(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Steps without those that a budget of tokens or time does not reach: there may be millions."""
        for step in steps:
            if self._over():
                return
            yield step

    def _expected(self) -> float:
        """Tokens of the whole training, as far as that can be known by now."""
        total = self.done.tokens + float(self.left[self.done.steps])
        return max(self.done.tokens, min(total, self.settings.tokens or total))

    def _resume(self) -> None:
        """Go on from the saved checkpoint, whose weights the model has already."""
        checkpoint, self.saved = self.saved, None  # the arrays shall not stay
        if checkpoint is None:
            if self.first:
                self.curve.log.truncate(-1)
            return
        state = checkpoint.state
        self.spikes.restore(state["spikes"])
        restore(self.model, self.optimizer, checkpoint.arrays, checkpoint.step - self.spikes.skipped)
        self.saved_step = checkpoint.step
        self.done = Progress(checkpoint.step, state["tokens"], state["seconds"])
        self.schedule.warm = state["warm"]
        self.schedule.realised = checkpoint.arrays[RATES].tolist() if RATES in checkpoint.arrays else []
        self.cursor = Cursor(**state["cursor"])
        if not self.first:
            return
        self.curve.restore(state["curve"], checkpoint.arrays.get(HISTORY, self.curve.rows), checkpoint.step)
        limited = self.settings.tokens or self.settings.minutes
        steps = f"step {checkpoint.step}" + ("" if limited else f" of {self.settings.steps}")
        where = f"{steps} ({compact(self.done.tokens)} tokens)"
        print(f"{self.identity.stage}: goes on from its checkpoint at {where}", file=sys.stderr, flush=True)

    def _rate_of(self, _step: int) -> float:
        self.rate = self.schedule.rate(self.done)
        return self.rate

    def _over(self) -> bool:
        return self.schedule.over(self.done)

    def _after_step(self, step: Step, losses: Losses) -> None:
        now = time.monotonic()
        seconds = now - self.step_started
        # Looks at held-out text and checkpoints count, too. Without a time budget no time is kept: a training that goes
        # on has the bytes of an unbroken one.
        timed = self.done.seconds + now - self.counted_at if self.clocked else 0.0
        self.counted_at = now
        if self.clocked:  # by one clock, so that all end after the same step
            (timed,), _ = self.processes.agree((timed,), False)
        self.done, self.cursor = Progress(step.number + 1, self.done.tokens + step.tokens, timed), step.after
        if self.first:
            self.curve.add(losses)
            self.meters.add(step.counts, seconds)
        last = self._over()
        looks = self.heldout is not None and (last or self.done.steps % self.settings.heldout.every == 0)
        if looks or last or self.done.steps % ROW_STEPS == 0:
            self._row(looks)
        if self.first:
            note = ", ".join(filter(None, (self.curve.note(), self.meters.note(self.meter.left))))
            self.meter.expect(self._expected())
            self.meter.advance(step.tokens, note, self.done.seconds)
        due = time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds
        (save,), stop = self.processes.agree((due,), self.stop.requested)
        if stop:
            self._save()
            leave()
        if save:
            self._save()
        self.step_started = time.monotonic()

    def _row(self, looks: bool) -> None:
        found = None
        if looks and self.heldout is not None:
            found = self.heldout.look(self.model, self.device, self.processes)
            put_away(self.model)
        if found is not None and not math.isfinite(found["mlm_loss"]):
            raise self.processes.told_once(self._diverged(f"the held-out loss is {found['mlm_loss']}"))
        if self.first:
            self.curve.row(self.done.steps, self.done.tokens, self.rate, found, self.meters.row(), self.spikes.counts)
            loss, blind = self.curve.history[-1]["mlm_loss"], math.log(len(self.tokenizer))
            if loss > DIVERGED * blind:
                raise self._diverged(f"the loss is {loss:.1f} nats a predicted token, of blind guesses {blind:.1f},")

    def _save(self) -> None:
        """Checkpoint what is done; weights that are not finite are never saved."""
        if not (self.first or is_shared_out(self.settings)):
            return
        weights = weights_of(self.model)
        if not all(np.isfinite(array.sum(dtype=np.float64)) for array in weights.values()):
            raise self.processes.told_once(self._diverged("a weight is not finite"))
        state = {
            "curve": self.curve.state,
            "cursor": asdict(self.cursor),
            "tokens": self.done.tokens,
            "seconds": self.done.seconds,
            "warm": self.schedule.warm,
            "spikes": self.spikes.state,
        }
        arrays: dict[str, NDArray[Any]] = weights | dict(moments(self.model, self.optimizer))
        if self.schedule.realised:
            arrays[RATES] = np.array(self.schedule.realised)
        if self.curve.history:
            arrays[HISTORY] = self.curve.rows
        if self.checkpoints:
            self.checkpoints.save(self.done.steps, arrays, state)
        self.saved_at, self.saved_step = time.monotonic(), self.done.steps

    def _diverged(self, what: str) -> FirthError:
        return FirthError(
            f"{self.identity.stage}: {what} after step {self.done.steps}; lower bert.optimizer.learning_rate "
            f"({self.settings.optimizer.learning_rate}); the last good checkpoint is kept"
        )
