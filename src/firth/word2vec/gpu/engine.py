"""The engine on an NVIDIA GPU: both matrices in its memory, trained by `triton_kernels` after a `triton_plan`.

Runs of the same seed see the same examples in nearly the same order and yet differ in the last bits: programs run side
by side and add to shared rows in whatever order they come. Evaluation adds nothing and repeats exactly. With
`TRITON_INTERPRET=1` set before triton is imported, the same code runs on a CPU, program after program, for tests only.

The kernels are compared with the reference under the interpreter and compiled for an H100 by the tests. Neither their
speed nor the quality of vectors that hundreds of programs train together has been measured: `bench/gpu.sh`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.errors import ConfigError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.training.splitmix import stream_start
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.gpu.plan import Chances, Plan
from firth.word2vec.matrices import Floats, initial_input
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution

PIECE = 128
"""Fewest centres that one program walks through: enough to pay for the rows at its ends, few enough to keep a GPU busy.
"""

PART = 1 << 20
"""Ids of a stretch that are planned together, which bounds the memory for their plan; a sentence that goes on in the
next part is cut there."""

RING_FLOATS = 24_576
"""Most floats of ring, gains and outputs on chip: 48 for each thread of 16 warps, which compiles without spilling."""

_WIDE_BLOCK = 32
_FLOATS_PER_WARP = 32 * 48
_TRAIN, _HELDOUT = 0, 1


def device_of() -> torch.device:
    """Where the kernels run: the GPU, or the CPU under Triton's interpreter.

    Raises:
        ConfigError: neither is there.
    """
    needs = "word2vec.backend = triton: needs an NVIDIA GPU and the triton package"
    if find_spec("triton") is None:
        raise ConfigError(f"{needs}; triton is not installed; backend numba trains on the CPU")
    if os.environ.get("TRITON_INTERPRET") == "1":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError(f"{needs}; torch finds no GPU here; backend numba trains on the CPU")
    return torch.device("cuda")


@dataclass(frozen=True)
class Shape:
    """How a kernel is cut: padded sizes (powers of two, at least 16 for `tl.dot`), warps, and whether it has a ring."""

    slots: int
    columns: int
    width: int
    warps: int
    ring: bool

    @classmethod
    def of(cls, dim: int, window: int, negatives: int) -> Shape:
        """The shape for these settings: with a ring where it fits on chip."""
        slots, columns, width = (_power_of_two(size) for size in (2 * window + 1, negatives + 1, dim))
        ring = (2 * slots + columns) * width <= RING_FLOATS
        if not ring:
            width = _WIDE_BLOCK
        floats = max((2 * slots + columns) * width, slots * columns * 3)
        return cls(slots, columns, width, min(16, _power_of_two(-(-floats // _FLOATS_PER_WARP), 1)), ring)


def _power_of_two(size: int, least: int = 16) -> int:
    """The first power of two from `size` and `least` on."""
    return max(least, 1 << (size - 1).bit_length())


def piece_of(centres: int, vocabulary: int, slots: int) -> int:
    """Centres for each program, so that the rows near all programs' centres are no more than the vocabulary has.

    Programs that learn at the same time from the same old values overshoot together; with few words, few may run.
    """
    return max(PIECE, -(-centres // max(1, vocabulary // slots)))


class TritonEngine(Engine):
    """Both matrices as tensors on the device; `state` and `vectors` are copies of them on the host.

    `piece` sets the centres for each program; left out, `piece_of` does.
    """

    def __init__(self, model: ModelName, vocabulary: Vocabulary, settings: Word2Vec, piece: int | None = None) -> None:
        super().__init__(model, vocabulary, settings)
        self.device = device_of()
        self.piece = piece
        counts = vocabulary.counts
        noise = AliasTable.of(noise_distribution(counts, settings.noise_exponent))
        self._chances = Chances.of(keep_thresholds(counts, settings.sample), noise, self.device)
        self._shape = Shape.of(settings.dim, settings.window, settings.negatives)
        self._input = torch.from_numpy(initial_input(len(counts), settings.dim, settings.seed)).to(self.device)
        self._output = torch.zeros_like(self._input)

    @property
    def state(self) -> dict[str, Floats]:
        """Both matrices as they are now, copied to the host; `restore` takes them back."""
        return {name: _host(matrix) for name, matrix in self._matrices().items()}

    def restore(self, state: Mapping[str, Floats]) -> None:
        """See `Engine.restore`."""
        for name, mine in self._matrices().items():
            if name not in state or state[name].shape != tuple(mine.shape):
                raise IntegrityError(f"the checkpoint's {name} matrix does not have the shape {tuple(mine.shape)}")
        for name, mine in self._matrices().items():
            mine.copy_(torch.from_numpy(np.array(state[name], dtype=np.float32)))

    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """See `Engine.train`; `settings.threads` has no meaning here."""
        return self._run(stream, start, stop, self.learning_rate, seen, total, _TRAIN, *key)

    def evaluate(self, stream: Ids) -> Result:
        """See `Engine.evaluate`."""
        return self._run(stream, 0, len(stream), 0.0, 0, max(1, len(stream)), _HELDOUT)

    def close(self) -> None:
        """Give the device's cached memory back; the matrices go with the engine."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _matrices(self) -> dict[str, Tensor]:
        """Views without the padding."""
        return {"input": self._input[:, : self.settings.dim], "output": self._output[:, : self.settings.dim]}

    def _run(self, stream: Ids, start: int, stop: int, rate: float, seen: int, total: int, *key: int) -> Result:
        if not 0 <= start <= stop <= len(stream):
            raise ValueError(f"[{start}, {stop}) is not within the stream of {len(stream)} ids")
        settings, state = self.settings, stream_start(self.settings.seed, *key)
        words, examples, loss = 0, 0, 0.0
        for at in range(start, stop, PART):
            ids = torch.from_numpy(np.array(stream[at : min(at + PART, stop)], dtype=np.int32)).to(self.device)
            self._check(ids, at)
            plan = Plan.of(
                ids, self._chances, settings.window, settings.negatives, state, at - start,
                rate, settings.min_learning_rate, seen + words, total,
            )  # fmt: skip
            words += plan.read
            if len(plan):
                examples += plan.examples(self.model == "skipgram")
                loss += self._launch(plan, learn=rate > 0.0)
        return Result(words, examples, loss)

    def _check(self, ids: Tensor, start: int) -> None:
        """Ids become addresses: none outside the vocabulary goes further."""
        bad = torch.nonzero((ids < -1) | (ids >= len(self.vocabulary)))
        if len(bad):
            place = int(bad[0])
            raise IntegrityError(
                f"id {int(ids[place])} at position {start + place} of the stream is not in the vocabulary of "
                f"{len(self.vocabulary)} words"
            )

    def _launch(self, plan: Plan, learn: bool) -> float:
        """Run the kernel over `plan`; the summed loss."""
        from firth.word2vec.gpu import kernels as triton_kernels

        settings, shape = self.settings, self._shape
        kernel: Any = triton_kernels.ring_kernel if shape.ring else triton_kernels.wide_kernel
        piece = self.piece or piece_of(len(plan), len(self.vocabulary), shape.slots)
        programs = -(-len(plan) // piece)
        losses = torch.empty(programs, dtype=torch.float32, device=self.device)
        kernel[(programs,)](
            plan.words, plan.low, plan.high, plan.noise, plan.rates, self._input, self._output, losses,
            len(plan), piece,
            WINDOW=settings.window, NEGATIVES=settings.negatives, DIM=settings.dim, STRIDE=self._input.shape[1],
            SLOTS=shape.slots, COLUMNS=shape.columns, WIDTH=shape.width, SKIPGRAM=self.model == "skipgram",
            LEARN=learn, num_warps=shape.warps,
        )  # fmt: skip
        return float(losses.sum(dtype=torch.float64))


def _host(matrix: Tensor) -> Floats:
    """A contiguous copy on the host."""
    copy: Floats = matrix.to("cpu", copy=True).contiguous().numpy()
    return copy
