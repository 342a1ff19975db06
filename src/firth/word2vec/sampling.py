"""Chance in word2vec: which frequent words are left out, and which words are noise.

All of it is integers that the kernel compares with 32 random bits (`training.splitmix`); those of a block are a pure
function of (seed, epoch, block, thread), so that training resumes at a block without a saved generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SENTENCE = 1000
"""Longest sentence in words after subsampling; a longer one is cut, as in the toolkit."""

REDRAWS = 64
"""Noise equal to the positive is drawn again this often; then any other word is taken, so that a vocabulary that is
nearly one word ends too."""

FULL = 0xFFFFFFFF
"""A threshold that every 32-bit draw is at or below."""


def keep_thresholds(counts: NDArray[np.int64], sample: float) -> NDArray[np.uint32]:
    """Per word: keep an occurrence when 32 random bits are at or below this.

    The probability is sqrt(t / f) + t / f for a word of relative frequency f and t = `sample`, at most 1: the
    toolkit's form of Mikolov et al. (2013b), section 2.3. `sample` 0 keeps every word.
    """
    if sample == 0.0:
        return np.full(len(counts), FULL, dtype=np.uint32)
    ratio = sample * counts.sum() / np.maximum(counts, 1)
    thresholds: NDArray[np.uint32] = (np.minimum(np.sqrt(ratio) + ratio, 1.0) * FULL).astype(np.uint32)
    return thresholds


def noise_distribution(counts: NDArray[np.int64], exponent: float) -> NDArray[np.float64]:
    """Probability of each word as noise: its count to the power `exponent`, normalised."""
    weights: NDArray[np.float64] = counts.astype(np.float64) ** exponent
    weights /= weights.sum()
    return weights


@dataclass(frozen=True)
class AliasTable:
    """Walker's alias method.

    Draw a slot uniformly; keep it if 32 random bits are at or below its threshold, else take its other word.
    """

    thresholds: NDArray[np.uint32]
    others: NDArray[np.int32]

    @classmethod
    def of(cls, probabilities: NDArray[np.float64]) -> AliasTable:
        """The table of a distribution over word ids (Vose's construction)."""
        size = len(probabilities)
        scaled = (probabilities * size).tolist()
        thresholds = np.full(size, FULL, dtype=np.uint32)
        others = np.arange(size, dtype=np.int32)
        small = [i for i, mass in enumerate(scaled) if mass < 1.0]
        large = [i for i, mass in enumerate(scaled) if mass >= 1.0]
        while small and large:
            less, more = small.pop(), large[-1]
            thresholds[less] = int(scaled[less] * FULL)
            others[less] = more
            scaled[more] -= 1.0 - scaled[less]
            if scaled[more] < 1.0:
                small.append(large.pop())
        return cls(thresholds, others)

    def probabilities(self) -> NDArray[np.float64]:
        """The distribution that the table draws from."""
        kept = self.thresholds / FULL
        mass = kept.copy()
        np.add.at(mass, self.others, 1.0 - kept)
        return mass / len(mass)
