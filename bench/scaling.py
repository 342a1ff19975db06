"""How fast word2vec trains as vocabulary, dimensions and threads grow, beside what the machine could do at most.

    python -m bench.scaling --quick               # two points of each curve
    python -m bench.scaling --json scaling.json   # vocabulary 10k to 1M, dim 50 to 600, 1 to all threads

The id streams are drawn from a Zipf distribution over the vocabulary (exponent 1, as in text), because no text at hand
has a million frequent words; subsampling is off, so that every word is a centre. Two floors stand beside each point, in
words a second: the machine's arithmetic (the three products of a pair, at the speed of a float32 matrix product) and
its memory (each row of a centre's tile read and written once, at the speed of a copy), as if nothing were cached. Rows
that stay in cache beat the second; a matrix product is about as fast as a CPU computes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.peers import RATES

from firth.choices import ModelName
from firth.config.word2vec import Recipe, Word2Vec
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engine import Ids
from firth.word2vec.engines import make_engine

WINDOW = NEGATIVES = 5
SENTENCE = 20
CONTEXTS = sum(2 * reach - reach * (reach + 1) / SENTENCE for reach in range(1, WINDOW + 1)) / WINDOW
"""Contexts of a centre on average: the reach is drawn from 1 to 5, and a sentence has ends."""


def zipf_stream(vocabulary: int, words: int) -> tuple[Ids, Vocabulary]:
    """`words` ids in sentences of 20, and a vocabulary with their counts (each word at least 1)."""
    weights = 1.0 / np.arange(1, vocabulary + 1)
    drawn = np.searchsorted(np.cumsum(weights) / weights.sum(), np.random.default_rng(1).random(words))
    rows = np.minimum(drawn, vocabulary - 1).reshape(-1, SENTENCE)
    stream = np.concatenate([rows, np.full((len(rows), 1), -1)], axis=1).astype(np.int32).ravel()
    counts = np.maximum(np.bincount(rows.ravel(), minlength=vocabulary), 1).astype(np.int64)
    return stream, Vocabulary(tuple(f"w{i}" for i in range(vocabulary)), counts)


def speed(model: ModelName, stream: Ids, vocabulary: Vocabulary, dim: int, threads: int, runs: int) -> list[float]:
    """Words a second, each run."""
    recipe = Recipe(learning_rate=RATES[model], epochs=1)
    settings = Word2Vec(
        dim=dim, threads=threads, sample=0.0, window=WINDOW, negatives=NEGATIVES, skipgram=recipe, cbow=recipe
    )
    engine = make_engine(model, vocabulary, settings)
    words = int(np.count_nonzero(stream >= 0))
    engine.train(stream, 0, len(stream) // 10, (0, 0), 0, 10 * words)  # compiles, and touches the pages
    found = []
    for number in range(runs):
        started = time.perf_counter()
        engine.train(stream, 0, len(stream), (0, number), 0, 10 * words)
        found.append(words / (time.perf_counter() - started))
    engine.close()
    return found


def copy_speed() -> float:
    """Bytes a second that all cores read and write, by a copy that no cache holds."""
    source = torch.ones(1 << 26)
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(_seconds(lambda: target.copy_(source)) for _ in range(5))


def product_speed() -> float:
    """Floating-point operations a second of all cores, by a matrix product."""
    a = torch.ones(2048, 2048)
    return float(2 * 2048**3 / min(_seconds(lambda: a @ a) for _ in range(5)))


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def floors(model: ModelName, dim: int, bytes_second: float, flops: float) -> tuple[float, float]:
    """Words a second by arithmetic and by memory, all cores together."""
    outputs = NEGATIVES + 1
    rows = CONTEXTS + outputs
    pairs = CONTEXTS * outputs if model == "skipgram" else outputs
    operations = pairs * dim * 2 * 3 + (0 if model == "skipgram" else CONTEXTS * dim * 2)
    return flops / operations, bytes_second / (rows * dim * 4 * 2)


def points(quick: bool, threads: int) -> Iterator[tuple[int, int, int]]:
    """(vocabulary, dim, threads): one of them varies at a time."""
    vocabularies = (10_000, 300_000) if quick else (10_000, 30_000, 100_000, 300_000, 1_000_000)
    dims = (100, 300) if quick else (50, 100, 200, 300, 600)
    counts = sorted({1, threads} if quick else {1, 2, 4, 8, 16, threads})
    seen = dict.fromkeys([(vocabulary, 100, 1) for vocabulary in vocabularies])
    seen |= dict.fromkeys([(30_000, dim, 1) for dim in dims])
    seen |= dict.fromkeys([(30_000, dim, count) for dim in (100, 300) for count in counts if count <= threads])
    yield from seen


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two points of each curve, 1M words, three runs")
    parser.add_argument("--threads", type=int, default=min(16, os.cpu_count() or 1), help="the most")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    words, runs = (1_000_000, 3) if options.quick else (3_000_000, 5)
    bytes_second, flops = copy_speed(), product_speed()
    print(f"copy {bytes_second / 1e9:.1f} GB/s, matrix product {flops / 1e9:.0f} GFLOP/s, all cores", flush=True)
    records = []
    streams: dict[int, tuple[Ids, Vocabulary]] = {}
    for vocabulary, dim, threads in points(options.quick, options.threads):
        if vocabulary not in streams:
            streams[vocabulary] = zipf_stream(vocabulary, words)
        for model in RATES:
            found = speed(model, *streams[vocabulary], dim, threads, runs)
            arithmetic, memory = floors(model, dim, bytes_second, flops)
            record = {
                "case": f"{model} vocabulary {vocabulary} dim {dim} threads {threads}", "metric": "words/s",
                "ours": round(statistics.median(found)), "peer": None, "ratio": None,
                "runs": [round(value) for value in found],
                "floor_arithmetic": round(arithmetic), "floor_memory": round(memory),
            }  # fmt: skip
            records.append(record)
            print(
                f"{record['case']}: {record['ours']:,} words/s; at most {record['floor_arithmetic']:,} by arithmetic, "
                f"{record['floor_memory']:,} by memory (all cores)",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
