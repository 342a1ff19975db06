"""The engines on CPUs: compiled kernels on rows in memory."""

from pathlib import Path

from firth.training import splitmix
from firth.word2vec import matrices, sampling

SOURCES = (
    *sorted(map(str, Path(__file__).parent.glob("*.py"))),
    matrices.__file__,
    sampling.__file__,
    splitmix.__file__,
)
"""All that kernels are compiled from: one that was compiled from other sources is not taken from disk."""
