"""Training speed of word2vec on an NVIDIA GPU beside the CPU kernels of the same machine.

    python -m bench.word2vec_gpu --quick              # dim 100, a minute
    python -m bench.word2vec_gpu --json speed.json    # dims 100 and 300, five runs

The stream is drawn: words of a Zipf distribution in sentences of 20, so that it needs no corpus. Speed depends on how
often rows are met and how often programs meet on one, not on what the words mean; this says nothing about quality.
Words a second of wall time, subsampling included, planning and copying of ids included, compilation not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np

from firth.choices import Backend, ModelName
from firth.config.word2vec import Word2Vec
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engine import Ids
from firth.word2vec.engines import make_engine

SENTENCE = 20


def zipf(words: int, vocabulary: int) -> tuple[Ids, Vocabulary]:
    """A stream of about `words` words and its vocabulary."""
    weights = 1.0 / np.arange(1, vocabulary + 1)
    drawn = np.random.default_rng(1).choice(vocabulary, size=(words // SENTENCE, SENTENCE), p=weights / weights.sum())
    stream = np.pad(drawn, ((0, 0), (0, 1)), constant_values=-1).astype(np.int32).ravel()
    counts = np.maximum(np.bincount(drawn.ravel(), minlength=vocabulary), 1)
    return stream, Vocabulary(tuple(f"w{i}" for i in range(vocabulary)), counts)


def speed(
    model: ModelName, backend: Backend, settings: dict[str, Any], stream: Ids, vocabulary: Vocabulary, runs: int
) -> list[float]:
    """Words a second of each run, in blocks of `settings`."""
    engine = make_engine(model, vocabulary, Word2Vec.model_validate({**settings, "backend": backend}))
    block, total, found = engine.settings.block_words, len(stream) * runs, []
    engine.train(stream, 0, min(block, len(stream)), (0, 0), 0, total)  # compiles
    for epoch in range(runs):
        started, words = time.perf_counter(), 0
        for index, start in enumerate(range(0, len(stream), block)):
            stop = min(start + block, len(stream))
            words += engine.train(stream, start, stop, (epoch, index), epoch * len(stream) + start, total).words
        found.append(words / (time.perf_counter() - started))
    engine.close()
    return found


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="dim 100, 5M words, three runs")
    parser.add_argument("--words", type=int, help="of the stream; default 5M (quick) or 20M")
    parser.add_argument("--vocabulary", type=int, default=100_000, help="different words")
    parser.add_argument("--dims", type=int, nargs="+", help="default 100 (quick), 100 and 300")
    parser.add_argument("--runs", type=int, help="default 3 (quick) or 5")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the CPU kernels")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    usual = (5_000_000, [100], 3) if options.quick else (20_000_000, [100, 300], 5)
    options.words, options.dims, options.runs = (
        asked or other for asked, other in zip((options.words, options.dims, options.runs), usual, strict=True)
    )
    stream, vocabulary = zipf(options.words, options.vocabulary)
    records: list[dict[str, Any]] = []
    for model in get_args(ModelName):
        for dim in options.dims:
            settings = {"dim": dim, "threads": options.threads, "block_words": 1_000_000}
            gpu = speed(model, "triton", settings, stream, vocabulary, options.runs)
            cpu = speed(model, "numba", settings, stream, vocabulary, options.runs)
            ours, peer = statistics.median(gpu), statistics.median(cpu)
            records.append(
                {
                    "case": f"{model} dim {dim}, triton, numba with {options.threads} thread(s)", "metric": "words/s",
                    "ours": round(ours), "peer": round(peer), "ratio": round(ours / peer, 2),
                    "runs": [[round(a), round(b)] for a, b in zip(gpu, cpu, strict=True)],
                }
            )  # fmt: skip
            print(f"{records[-1]['case']}: {ours:,.0f} against {peer:,.0f} words/s, x{ours / peer:.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
