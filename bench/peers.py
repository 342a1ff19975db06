"""The trainers that ours are measured against, each given the same text, vocabulary and settings.

gensim comes with the development environment. The original C toolkit does not: fetch its source yourself and name the
folder that holds `word2vec.c` (`--toolkit FOLDER`); it is compiled there with the flags of its own makefile.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.choices import ModelName
from firth.errors import FirthError
from firth.tokens.store import WordStore
from firth.vectors.interchange import read_binary

FLAGS = ["-pthread", "-O3", "-march=native", "-funroll-loops", "-Wno-unused-result"]
"""Those of the toolkit's own makefile."""

FASTER = [*FLAGS, "-Ofast"]
"""For what is not timed: sums may be taken in any order, which ends in a third of the time."""

RATES: dict[ModelName, float] = {"skipgram": 0.025, "cbow": 0.05}
"""The toolkit's starting learning rates."""


@dataclass(frozen=True)
class Task:
    """What all sides train: 5 negatives, window 5, subsampling at 1e-3, the whole vocabulary of the text."""

    model: ModelName
    dim: int
    threads: int
    epochs: int = 1
    seed: int = 1


@dataclass(frozen=True)
class Trained:
    """Vectors (words, dim), the words in the same order, and the seconds of wall time that training took."""

    words: list[str]
    matrix: NDArray[np.float32]
    seconds: float


def write_text(store: WordStore, path: Path) -> None:
    """The id stream as the text that other trainers read: one sentence a line."""
    words = np.array([*store.vocabulary.words, "\n"], dtype=object)
    with path.open("w", encoding="utf-8") as stream:
        for start in range(0, len(store.train), 1 << 20):
            stream.write(" ".join(words[store.train[start : start + (1 << 20)]]).replace("\n ", "\n"))
            stream.write(" ")


class Gensim:
    """gensim's Cython trainer on a file of text."""

    name = "gensim"

    def __init__(self, text: Path) -> None:
        self.text = str(text)

    def train(self, task: Task) -> Trained:
        """Train anew; only `train` itself is timed."""
        from gensim.models import Word2Vec as Peer

        peer = Peer(
            vector_size=task.dim, window=5, negative=5, sample=1e-3, min_count=1, workers=task.threads,
            alpha=RATES[task.model], min_alpha=RATES[task.model] * 1e-4, sg=int(task.model == "skipgram"),
            seed=task.seed,
        )  # fmt: skip
        peer.build_vocab(corpus_file=self.text)
        started = time.perf_counter()
        peer.train(corpus_file=self.text, total_words=peer.corpus_total_words, epochs=task.epochs)
        seconds = time.perf_counter() - started
        return Trained(list(peer.wv.index_to_key), peer.wv.vectors, seconds)


class Toolkit:
    """The original C program; its seeds are fixed, so that threads alone make one run differ from another."""

    name = "C toolkit"

    def __init__(self, source: Path, text: Path, store: WordStore, scratch: Path, flags: Sequence[str] = FLAGS) -> None:
        if not (source / "word2vec.c").is_file():
            raise FirthError(f"--toolkit {source}: holds no word2vec.c; fetch the toolkit's source and name its folder")
        if shutil.which("cc") is None:
            raise FirthError("--toolkit: no C compiler (cc) on this machine")
        self.program, self.text, self.scratch = scratch / "word2vec", text, scratch
        self.nothing = scratch / "nothing.txt"
        self.nothing.write_text(" ".join(store.vocabulary.words[:10]) + "\n", encoding="utf-8")
        built = subprocess.run(
            ["cc", str(source / "word2vec.c"), "-o", str(self.program), *flags, "-lm"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if built.returncode != 0:
            raise FirthError(f"--toolkit: the compiler refused word2vec.c: {built.stderr.strip().splitlines()[-1]}")
        self.vocabulary = scratch / "toolkit.vocabulary"
        sentences = int(np.count_nonzero(store.train < 0))
        lines = zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True)
        self.vocabulary.write_text(
            f"</s> {sentences}\n" + "".join(f"{word} {count}\n" for word, count in lines), encoding="utf-8"
        )

    def train(self, task: Task) -> Trained:
        """Train anew; the time of a run on ten words (start, matrices, saving) is taken off."""
        idle, _ = self._run(task, self.nothing)
        seconds, output = self._run(task, self.text)
        vectors = read_binary(output)
        kept = [i for i, word in enumerate(vectors.vocabulary.words) if word != "</s>"]
        return Trained([vectors.vocabulary.words[i] for i in kept], vectors.matrix[kept], seconds - idle)

    def _run(self, task: Task, text: Path) -> tuple[float, Path]:
        output = self.scratch / "toolkit.bin"
        options = {
            "train": text, "read-vocab": self.vocabulary, "output": output, "binary": 1, "min-count": 1,
            "size": task.dim, "window": 5, "negative": 5, "sample": "1e-3", "alpha": RATES[task.model],
            "cbow": int(task.model == "cbow"), "threads": task.threads, "iter": task.epochs, "debug": 0,
        }  # fmt: skip
        command = [str(self.program), *(str(part) for key, value in options.items() for part in (f"-{key}", value))]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - started, output
