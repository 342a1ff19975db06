"""What word2vec loses and pays when copies of its matrices are trained apart and combined now and then.

    python -m bench.averaging --quick             # 1M words, four ways; a minute
    python -m bench.averaging                     # about 10M words, dim 100; some minutes
    python -m bench.averaging --model cbow --json averaging.json
    python -m bench.averaging --words 40000000 --only "one copy, seed 1" --only "000,000 words, damped"

Threads that share their matrices need no combining, but what they learn depends on who writes first. Copies make it
depend on nothing but the seed: each of `parts` copies is trained on its part of the next `every` words, then they are
combined. Processes on several machines have no other choice. The copies are trained one after the other here, so that
the figures of quality hold for any machine; costs are CPU time, which other work on the machine hardly moves.

How a row's changes are combined: `mean` divides their sum by the number of copies, `touched` by the number of copies
that changed the row, `sum` leaves it as it is. `damped` is between them: if m steps take a row a share
p = 1 − exp(−c·m) of its way, then n copies of m steps ought to take it 1 − (1 − p)ⁿ of it, and the sum is scaled to
that; m is the expected number of steps, known from the word's frequency, and `c` is tuned.

In the records the peer of copies is one copy; the peer of a combination is the training of a million words.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from bench.word2vec import documents
from numba import njit
from numpy.typing import NDArray

from firth.choices import ModelName
from firth.config.text import Words
from firth.config.word2vec import Recipe, Word2Vec
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.word2vec.engines import make_engine
from firth.word2vec.matrices import aligned
from firth.word2vec.sampling import noise_distribution
from firth.word2vec.schedule import Schedule

Floats = NDArray[np.float32]
State = Mapping[str, Floats]
How = Literal["mean", "touched", "sum", "damped"]
WINDOW, NEGATIVES, SAMPLE = 5, 5, 1e-3
DIVERGED = 100.0
"""No training that works has such a loss."""


class Way(NamedTuple):
    """One way to train: `parts` copies combined after each `every` words; `c` is for `damped`."""

    parts: int
    every: int = 0
    how: How = "mean"
    c: float = 0.0
    seed: int = 1

    def __str__(self) -> str:
        if self.parts == 1:
            return f"one copy, seed {self.seed}"
        return f"{self.parts} copies, {self.every:>9,} words, {self.how}" + (f" {self.c}" if self.c else "")


WAYS = [
    *(Way(1, seed=seed) for seed in (1, 2, 3)),
    *(Way(2, 200_000, how) for how in ("mean", "touched", "sum")),
    *(Way(2, 200_000, "damped", c) for c in (1e-3, 3e-4)),
    *(Way(2, 1_000_000, how) for how in ("touched", "sum")),
    *(Way(2, 1_000_000, "damped", c) for c in (3e-4, 1e-4)),
    Way(2, 2_000_000, "damped", 1e-4),
    *(Way(8, 200_000, how) for how in ("touched", "sum")),
    *(Way(8, 200_000, "damped", c) for c in (3e-3, 1e-3, 3e-4)),
    *(Way(8, 1_000_000, "damped", c) for c in (3e-3, 1e-3, 3e-4)),
]


QUICK = [Way(1), Way(1, seed=2), Way(2, 200_000, "touched"), Way(2, 200_000, "damped", 1e-3)]
FIGURES = ("heldout_loss", "analogies", "wordsim353", "simlex999")


def combined(base: Floats, copies: list[Floats], how: How, gain: Floats | float) -> Floats:
    """What `copies`, all changed from `base`, amount to."""
    result = np.empty_like(base)
    for start in range(0, len(base), 4096):
        rows = slice(start, start + 4096)
        changes = [copy[rows] - base[rows] for copy in copies]
        total = np.sum(changes, axis=0)
        if how == "mean":
            total /= len(copies)
        elif how == "touched":
            total /= np.maximum(np.sum([change.any(axis=1) for change in changes], axis=0), 1)[:, None]
        elif how == "damped" and not isinstance(gain, float):
            total *= gain[rows, None]
        result[rows] = base[rows] + total
    return result


def gains(counts: NDArray[np.int64], way: Way) -> dict[str, Floats]:
    """By what `damped` multiplies the summed changes of each row."""
    share = counts / counts.sum()
    kept = share * np.minimum(np.sqrt(SAMPLE / share) + SAMPLE / share, 1) * (way.every // way.parts)
    contexts = WINDOW + 1  # of a centre, on average: windows are drawn from 1 to WINDOW
    steps = {
        "input": contexts * (NEGATIVES + 1) * kept,
        "output": contexts * (kept + NEGATIVES * kept.sum() * noise_distribution(counts, 0.75)),
    }
    result = {}
    for name, m in steps.items():
        p = np.maximum(-np.expm1(-way.c * m), 1e-9)
        result[name] = ((1 - (1 - p) ** way.parts) / (way.parts * p)).astype(np.float32)
    return result


def train(store: WordStore, model: ModelName, dim: int, way: Way) -> tuple[State, dict[str, float | None]]:
    """Train one epoch; the vectors, the loss on held-out text (None: diverged), and CPU seconds a million words."""
    recipe = Recipe(learning_rate=0.025 if model == "skipgram" else 0.05, epochs=1)
    settings = Word2Vec(
        dim=dim, window=WINDOW, negatives=NEGATIVES, sample=SAMPLE, seed=way.seed, skipgram=recipe, cbow=recipe
    )
    engine = make_engine(model, store.vocabulary, settings)
    engine.evaluate(store.train[:0])  # compiles the kernel
    schedule = Schedule.of(store.train, way.every // way.parts or settings.block_words, 1)
    gain = gains(store.vocabulary.counts, way) if way.how == "damped" else {}
    seconds = 0.0
    for first in range(0, len(schedule.blocks), way.parts):
        base = {name: matrix.copy() for name, matrix in engine.state.items()} if way.parts > 1 else {}
        copies: list[State] = []
        for index, block in enumerate(schedule.blocks[first : first + way.parts]):
            if index:
                engine.restore(base)
            started = time.thread_time()
            engine.train(store.train, block.start, block.stop, (0, first + index), block.before, schedule.total_words)
            seconds += time.thread_time() - started
            if way.parts > 1:
                copies.append({name: matrix.copy() for name, matrix in engine.state.items()})
        if way.parts > 1:
            engine.restore(
                {n: combined(base[n], [copy[n] for copy in copies], way.how, gain.get(n, 1.0)) for n in base}
            )
    loss = engine.evaluate(store.heldout).mean_loss
    figures = {
        "heldout_loss": loss if 0 < loss < DIVERGED else None,
        "train_seconds_per_million": seconds / schedule.total_words * 1e6,
    }
    return engine.vectors(), figures


def scores(store: WordStore, vectors: State) -> dict[str, float]:
    """Analogies (accuracy among 30,000 words) and the two similarity sets (Spearman) that gensim ships."""
    from gensim.models import KeyedVectors
    from gensim.test.utils import datapath

    if not np.isfinite(vectors["input"]).all() or np.abs(vectors["input"]).max() > 1e6:
        return dict.fromkeys(("analogies", "wordsim353", "simlex999"), 0.0)  # diverged
    keyed = KeyedVectors(vectors["input"].shape[1])
    keyed.add_vectors(list(store.vocabulary.words), vectors["input"])
    analogies, _ = keyed.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=30_000)
    pairs = {name: keyed.evaluate_word_pairs(datapath(file)) for name, file in
             (("wordsim353", "wordsim353.tsv"), ("simlex999", "simlex999.txt"))}  # fmt: skip
    return {"analogies": float(analogies)} | {name: float(found[1][0]) for name, found in pairs.items()}


@njit(nogil=True)
def _combine(base: Any, copies: Any, gain: Any) -> None:
    for row in range(len(base)):
        for column in range(base.shape[1]):
            change = np.float32(0.0)
            for copy in range(len(copies)):
                change += copies[copy, row, column] - base[row, column]
            value = base[row, column] + gain[row] * change
            base[row, column] = value
            for copy in range(len(copies)):
                copies[copy, row, column] = value


def combine_seconds(rows: int, dim: int, parts: int) -> float:
    """CPU seconds of combining both matrices once in compiled code, each number read and written once in each copy."""
    base = aligned(rows, dim)
    copies = np.zeros((parts, *base.shape), np.float32)
    gain = np.ones(rows, np.float32)
    _combine(base[:1], copies[:, :1], gain)
    taken = []
    for _ in range(5):
        started = time.thread_time()
        _combine(base, copies, gain)
        taken.append(time.thread_time() - started)
    return 2 * statistics.median(taken)


def _reduce(rank: int, address: str, rows: int, dim: int, result: str) -> None:
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    matrix = torch.zeros(2 * rows, dim)
    taken = []
    for _ in range(5):
        distributed.barrier()
        started = time.perf_counter()
        distributed.all_reduce(matrix)
        taken.append(time.perf_counter() - started)
    distributed.destroy_process_group()
    if rank == 0:
        Path(result).write_text(str(statistics.median(taken)))


def reduce_seconds(rows: int, dim: int) -> float:
    """Seconds in which gloo sums both matrices of two processes on this machine, without any network between them."""
    from torch.multiprocessing.spawn import spawn

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "seconds"
        arguments = (f"file://{folder}/rendezvous", rows, dim, str(result))
        spawn(_reduce, arguments, nprocs=2)  # type: ignore[no-untyped-call]
        return float(result.read_text())


def measure(store: WordStore, model: ModelName, dim: int, ways: list[Way]) -> Iterator[dict[str, Any]]:
    """One record for each of `ways`."""
    for way in ways:
        vectors, figures = train(store, model, dim, way)
        yield {**way._asdict(), **figures, **scores(store, vectors)}


def record(case: str, metric: str, ours: float | None, peer: float | None) -> dict[str, Any]:
    """One figure beside its peer's; None is a training that diverged."""
    ratio = ours / peer if ours is not None and peer else None
    return {"case": case, "metric": metric, "ours": ours, "peer": peer, "ratio": ratio, "runs": [[ours, peer]]}


def records(rows: list[dict[str, Any]], ways: list[Way], costs: Mapping[str, float]) -> list[dict[str, Any]]:
    """Every way's figures against those of one copy (the first such way), and costs against a million words' training.

    Where no way is of one copy there is no peer.
    """
    alone = next((row for row, way in zip(rows, ways, strict=True) if way.parts == 1), dict.fromkeys(FIGURES))
    a_million = statistics.median(row["train_seconds_per_million"] for row in rows)
    found = [
        record(str(way), name, row[name], alone[name]) for row, way in zip(rows, ways, strict=True) for name in FIGURES
    ]
    return found + [record(case, "seconds", seconds, a_million) for case, seconds in costs.items()]


def main() -> None:
    """Print a line for each way to train and for each cost, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a million words, four ways")
    parser.add_argument("--words", type=int, help="default 10 million")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--model", choices=["skipgram", "cbow"], default="skipgram")
    parser.add_argument("--only", action="append", help="ways whose line holds this text; repeatable")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    offered = QUICK if options.quick else WAYS
    options.words = options.words or (1_000_000 if options.quick else 10_000_000)
    ways = [way for way in offered if not options.only or any(text in str(way) for text in options.only)]
    if not ways:
        parser.error(f"--only: no way of {', '.join(map(str, offered))}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        texts = list(documents(options.words))
        held = len(texts) // 50
        build_store(texts[held:], texts[:held], Words(), Path(folder))
        del texts
        store = WordStore.open(Path(folder))
        size, words = len(store.vocabulary), store.manifest["splits"]["train"]["words"]
        print(f"{options.model}, dim {options.dim}: {words:,} words of text, {size:,} in the vocabulary")
        print(f"{'':44s} held-out  analogies wordsim353  simlex999", flush=True)
        for way, row in zip(ways, measure(store, options.model, options.dim, ways), strict=True):
            rows.append(row)
            loss = "diverged" if row["heldout_loss"] is None else f"{row['heldout_loss']:8.3f}"
            suites = " ".join(f"{row[name]:10.3f}" for name in ("analogies", "wordsim353", "simlex999"))
            print(f"{way!s:44s} {loss} {suites}", flush=True)
    a_million = statistics.median(row["train_seconds_per_million"] for row in rows)
    combining = {parts: combine_seconds(size, options.dim, parts) for parts in (2, 8)}
    reducing = reduce_seconds(size, options.dim)
    print(f"training a million words: {a_million:.3f} s of CPU")
    for parts, seconds in combining.items():
        print(f"combining {parts} copies: {seconds:.3f} s of CPU, as training {seconds / a_million:.2f} million words")
    print(f"summing two processes' matrices by gloo: {reducing:.3f} s")
    if options.json:
        costs = {f"combining {parts} copies": seconds for parts, seconds in combining.items()}
        costs["summing two processes' matrices by gloo"] = reducing
        options.json.write_text(json.dumps(records(rows, ways, costs), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
