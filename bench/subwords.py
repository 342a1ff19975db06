"""Training speed with subword n-grams beside gensim's FastText: same text, vocabulary and settings, alternating runs.

    python -m bench.subwords --quick             # at most 3 minutes
    python -m bench.subwords --json speed.json   # more text, five runs

Text and timing are those of `bench.word2vec`: corpus words a second of wall time, training only. n-grams of 3 to 6
characters are hashed to 200,000 rows on both sides, by the same hash.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench.peers import RATES, Task, Trained, write_text
from bench.word2vec import documents, run, settings_of

from firth.config.text import Words
from firth.config.word2vec import Subwords
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.word2vec.engines import make_engine

SUBWORDS = Subwords(buckets=200_000, shortest=3, longest=6)


class FastText:
    """gensim's Cython trainer of fastText's model on a file of text."""

    name = "gensim FastText"

    def __init__(self, text: Path) -> None:
        self.text = str(text)

    def train(self, task: Task) -> Trained:
        """Train anew; only `train` itself is timed."""
        from gensim.models import FastText as Peer

        peer = Peer(
            vector_size=task.dim, window=5, negative=5, sample=1e-3, min_count=1, workers=task.threads,
            alpha=RATES[task.model], min_alpha=RATES[task.model] * 1e-4, sg=int(task.model == "skipgram"),
            bucket=SUBWORDS.buckets, min_n=SUBWORDS.shortest, max_n=SUBWORDS.longest, seed=task.seed,
        )  # fmt: skip
        peer.build_vocab(corpus_file=self.text)
        started = time.perf_counter()
        peer.train(corpus_file=self.text, total_words=peer.corpus_total_words, epochs=task.epochs)
        seconds = time.perf_counter() - started
        return Trained(list(peer.wv.index_to_key), peer.wv.vectors, seconds)


def ours(store: WordStore, task: Task) -> Trained:
    """Our side."""
    settings = settings_of(task).model_copy(update={"subwords": SUBWORDS})
    engine = make_engine(task.model, store.vocabulary, settings)
    seconds = run(engine, store, task)
    engine.close()
    return Trained(list(store.vocabulary.words), engine.vectors()["input"], seconds)


def compare(store: WordStore, peer: FastText, dim: int, runs: int, threads: int) -> Iterator[dict[str, Any]]:
    """One record a model."""
    words = store.manifest["splits"]["train"]["words"]
    for model in RATES:
        task = Task(model, dim, threads)
        rounds = [(words / ours(store, task).seconds, words / peer.train(task).seconds) for _ in range(runs)]
        yield {
            "case": f"{model} dim {dim} with {SUBWORDS.buckets} subword rows, {threads} thread(s), {peer.name}",
            "metric": "words/s",
            "ours": round(statistics.median(own for own, _ in rounds)),
            "peer": round(statistics.median(other for _, other in rounds)),
            "ratio": round(statistics.median(own / other for own, other in rounds), 2),
            "runs": [[round(own), round(other)] for own, other in rounds],
        }


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three runs on at most 1M words")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of both sides")
    parser.add_argument("--words", type=int, help="how much text; default 1M (quick) or 5M")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    runs, limit = (3, 1_000_000) if options.quick else (5, 5_000_000)
    with tempfile.TemporaryDirectory() as scratch:
        folder, text = Path(scratch) / "words", Path(scratch) / "text.txt"
        build_store(documents(options.words or limit), islice(documents(1000), 1), Words(), folder)
        store = WordStore.open(folder)
        write_text(store, text)
        words = store.manifest["splits"]["train"]["words"]
        print(f"{words} words, vocabulary {len(store.vocabulary)}, {runs} alternating runs", flush=True)
        records = []
        for record in compare(store, FastText(text), 100, runs, options.threads):
            records.append(record)
            print(
                f"{record['case']}: {record['ours']:,} against {record['peer']:,} words/s, x{record['ratio']}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
