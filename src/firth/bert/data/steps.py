"""What each step learns from: which instances, in which micro batches, where the next step goes on.

All of it is a function of the settings, the text, and where the step before ended; it is computed ahead on a thread.
Where several processes share a step, each makes its own micro batches only (`shares`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.bert.data.instances import Chosen, Instances, divided
from firth.bert.data.packing import Capacity, PackedBatch, fit, pack
from firth.bert.data.plan import Cursor
from firth.bert.data.shares import SPARE, Counts, Share, dealt, spare
from firth.bert.data.text import Text
from firth.config.bert import Bert
from firth.wordpiece.tokenizer import Tokenizer

SAMPLE = 512
"""Instances from which the tokens of an instance are estimated."""

BEYOND = 8
"""Instances that are looked at beyond those that are expected to fit into a step."""

PHASES_APART = 1 << 20
"""Epochs between the numbers of the two phases: neither meets random numbers of the other."""


class Step(NamedTuple):
    """What one update learns from: the instances from `before` up to `after`, where the next one goes on."""

    number: int
    batches: list[PackedBatch]
    """The micro batches of this process's share."""
    numbers: list[int]
    """The number of each among those of the whole step, or `SPARE`."""
    before: Cursor
    after: Cursor
    whole: Counts | None = None
    """Of all shares together, where there are several and they have been summed up."""

    @property
    def name(self) -> str:
        """In words: its number, counted from 1, and its instances."""
        first, end = _said(self.before), _said(self.after)
        return f"step {self.number + 1} (instances {first} up to, but without, {end})"

    @property
    def counts(self) -> Counts:
        """Of all shares, or of this one as long as the others' are not known."""
        return self.whole or Counts.of(self.batches)

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return self.counts.tokens

    @property
    def predictions(self) -> int:
        """Predicted tokens."""
        return self.counts.predictions

    @property
    def instances(self) -> int:
        """Instances."""
        return self.counts.instances

    @property
    def padding(self) -> float:
        """Share of the tokens that are computed for nothing."""
        return 1.0 - self.counts.tokens / self.counts.computed


class Phase:
    """Steps of one length: the instances, and how many of them a step takes."""

    def __init__(self, text: Text, tokenizer: Tokenizer, settings: Bert, first_epoch: int, share: Share) -> None:
        self.settings, self.first, self.share = settings, Cursor(first_epoch), share
        self.instances = Instances(text, tokenizer, settings, settings.seed, settings.next_sentence)
        plan = self.instances.plan(first_epoch)
        sample = self.instances.choose(first_epoch, np.arange(min(SAMPLE, len(plan)), dtype=np.int64))
        self.mean = float(self._lengths(sample).mean())
        """Tokens of an instance, estimated."""
        self.micro = settings.micro_batch or -(-settings.batch // settings.devices)
        fixed = settings.packing or settings.compile
        rate = settings.predicted_share
        self.capacity = Capacity.of(self.micro, settings.length, self.mean, rate) if fixed else None

    def batches(self, cursor: Cursor, rows: int) -> tuple[list[PackedBatch], list[int], Cursor]:
        """The share's micro batches of the step that begins at `cursor`, their numbers, and the cursor behind the step.

        `rows` is the size of the step: so many instances, or with packing as many as fill so many times the length.
        """
        if self.settings.packing:
            parts, after = self._filled(cursor, rows)
        else:
            chosen, after = self.instances.following(cursor, rows)
            parts = self._divided(chosen)
        numbers = self.share.of([int(self._lengths(part).sum()) for part in parts])
        return [self._made(parts, number) for number in numbers], numbers, after

    def _divided(self, chosen: Chosen) -> list[Chosen]:
        if self.settings.micro_batch:
            return divided(chosen, self.settings.micro_batch)
        hands = dealt(self._lengths(chosen).tolist(), min(self.settings.devices, len(chosen)))
        return [chosen.take(np.array(hand, dtype=np.int64)) for hand in hands]

    def _made(self, parts: list[Chosen], number: int) -> PackedBatch:
        rows = self.instances.batch(parts[max(number, 0)])
        batch = pack(rows, self.capacity or Capacity.near(rows))
        return spare(batch) if number == SPARE else batch

    def tokens(self, rows: int) -> float:
        """Real tokens of a step, estimated."""
        return rows * (self.settings.length if self.settings.packing else self.mean)

    def _filled(self, cursor: Cursor, rows: int) -> tuple[list[Chosen], Cursor]:
        assert self.capacity is not None
        bins = -(-rows // self.micro)
        wanted = int(bins * self.capacity.tokens / self.mean * 1.1) + BEYOND
        while True:
            chosen, _ = self.instances.following(cursor, wanted)
            lengths = self._lengths(chosen)
            found = fit(lengths.tolist(), self.capacity, bins, self.settings.predicted_share)
            taken = sum(map(len, found))
            if taken < wanted:
                break
            wanted *= 2
        _, after = self.instances.following(cursor, taken)
        return [chosen.take(np.array(content, dtype=np.int64)) for content in found if content], after

    def _lengths(self, chosen: Chosen) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Tokens of each instance, special ones included."""
        return chosen.spans[:, 1] + chosen.spans[:, 3] + self.settings.length - self.instances.longest


class Steps:
    """The steps of a training, phase after phase."""

    def __init__(self, text: Text, tokenizer: Tokenizer, settings: Bert, share: Share | None = None) -> None:
        """`share` is what this process takes of each step, by default all of it. Errors as of `Instances`."""
        share = share or Share()
        self.settings = settings
        self.phases = [Phase(text, tokenizer, settings, 0, share)]
        second = settings.second_phase
        if second.share:
            changes = {
                "length": second.length,
                "batch": second.batch or settings.batch,
                "micro_batch": second.micro_batch or settings.micro_batch,
            }
            self.phases.append(Phase(text, tokenizer, settings.model_copy(update=changes), PHASES_APART, share))

    def at(self, number: int, cursor: Cursor) -> Step:
        """Step `number`, counted from 0, which begins at `cursor`."""
        phase = self.phase_of(number)
        if phase > 0 and cursor.epoch < self.phases[phase].first.epoch:
            cursor = self.phases[phase].first
        batches, numbers, after = self.phases[phase].batches(cursor, self.rows(number))
        return Step(number, batches, numbers, cursor, after)

    @property
    def phase_start(self) -> int:
        """The first step of the second phase; behind the last one where there is none."""
        return round(self.settings.steps * (1.0 - self.settings.second_phase.share))

    def phase_of(self, number: int) -> int:
        """0, or 1 from where the second phase begins."""
        return int(len(self.phases) > 1 and number >= self.phase_start)

    def rows(self, number: int) -> int:
        """Instances of step `number`, or with packing the instances of full length that it has room for.

        The batch grows in a straight line over the steps of the ramp, by micro batches where their size is set or what
        they hold is filled, otherwise by instances.
        """
        phase, ramp = self.phases[self.phase_of(number)], self.settings.ramp
        batch = phase.settings.batch
        if number >= ramp.steps:
            return batch
        wanted = ramp.start + (batch - ramp.start) * number / ramp.steps
        unit = phase.micro if self.settings.packing else phase.settings.micro_batch or 1
        return min(batch, max(1, round(wanted / unit)) * unit)

    def remaining_tokens(self) -> NDArray[np.float64]:
        """Real tokens of the steps from each on, estimated: (steps + 1,), of the whole training first, 0 at the end."""
        steps, second = self.settings.steps, self.phase_start
        found = np.zeros(steps + 1)
        for number in range(min(self.settings.ramp.steps, steps)):
            found[number] = self.phases[self.phase_of(number)].tokens(self.rows(number))
        rest = self.settings.ramp.steps
        for phase, start, stop in zip(self.phases, (0, second), (second, steps), strict=False):
            found[max(start, rest) : max(stop, rest)] = phase.tokens(phase.settings.batch)
        return found[::-1].cumsum()[::-1]


def _said(cursor: Cursor) -> str:
    phase, epoch = divmod(cursor.epoch, PHASES_APART)
    return f"{cursor.index} of epoch {epoch}" + (" of the second phase" if phase else "")
