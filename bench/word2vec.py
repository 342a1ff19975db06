"""Training speed of word2vec beside gensim's: same text, same vocabulary, same settings, alternating runs.

    python -m bench.word2vec --quick             # dim 100, at most 3 minutes
    python -m bench.word2vec --json speed.json   # dims 100 and 300, five runs

The text is the prepared corpus of this clone (`data/corpus`, after `make demo`), or with `FIRTH_DATA` set the
Wikipedia articles there. Only training is timed, in corpus words a second of wall time; both sides start with their
vocabulary built and their code compiled. A ratio is the median over the ratios of neighbouring runs, so that what else
the machine does weighs on both sides alike.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from firth.canonical import read_json
from firth.config.text import Words
from firth.config.word2vec import ModelName, Recipe, Word2Vec
from firth.errors import FirthError
from firth.shards import read_shards
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.word2vec.engine import Engine
from firth.word2vec.schedule import Schedule

RATE = 0.025
CORPUS = Path("data/corpus")


def prepared() -> Iterator[list[str]]:
    """Documents of the clone's own corpus."""
    entries = [entry for entry in read_json(CORPUS / "manifest.json")["shards"] if entry["file"].startswith("train/")]
    for document in read_shards(CORPUS, entries, columns=["sentences"]):
        yield document["sentences"]


def wikipedia(folder: Path) -> Iterator[list[str]]:
    """Paragraphs of the articles below `folder`, each as one sentence."""
    for path in sorted(folder.glob("wiki/*.jsonl.bz2")):
        with bz2.open(path, "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)["text"].split("\n\n")


def documents(limit: int) -> Iterator[list[str]]:
    """About `limit` words of text."""
    data = os.environ.get("FIRTH_DATA")
    if data and list(Path(data).glob("wiki/*.jsonl.bz2")):
        source = wikipedia(Path(data))
    elif CORPUS.is_dir():
        source = prepared()
    else:
        raise FirthError("no text: run `make demo` first, or set FIRTH_DATA to a folder with wiki/*.jsonl.bz2")
    words = 0
    for document in source:
        yield document
        words += sum(sentence.count(" ") + 1 for sentence in document)
        if words >= limit:
            return


def write_text(store: WordStore, path: Path) -> None:
    """The id stream as the text that gensim reads: one sentence a line."""
    words = np.array([*store.vocabulary.words, "\n"], dtype=object)
    with path.open("w", encoding="utf-8") as stream:
        for start in range(0, len(store.train), 1 << 20):
            stream.write(" ".join(words[store.train[start : start + (1 << 20)]]).replace("\n ", "\n"))
            stream.write(" ")


def ours(store: WordStore, model: ModelName, dim: int, threads: int) -> float:
    """Words a second of one epoch."""
    recipe = Recipe(learning_rate=RATE, epochs=1)
    settings = Word2Vec(dim=dim, threads=threads, skipgram=recipe, cbow=recipe)
    engine = Engine(model, store.vocabulary.counts, settings)
    schedule = Schedule.of(store.train, settings.block_words, 1)
    engine.train(store.train, 0, 0, (0, 0), 0, 1)  # loads or compiles the kernel
    started = time.perf_counter()
    for step, block in enumerate(schedule.blocks):
        engine.train(store.train, block.start, block.stop, (0, step), block.before, schedule.total_words)
    seconds = time.perf_counter() - started
    engine.close()
    return schedule.total_words / seconds


class Gensim:
    """gensim's trainer on the same text."""

    def __init__(self, text: Path, words: int) -> None:
        self.text, self.words = str(text), words

    def __call__(self, model: ModelName, dim: int, threads: int) -> float:
        """Words a second of one epoch."""
        from gensim.models import Word2Vec as Peer

        peer = Peer(
            vector_size=dim, window=5, negative=5, sample=1e-3, min_count=1, workers=threads, alpha=RATE,
            min_alpha=RATE * 1e-4, sg=int(model == "skipgram"),
        )  # fmt: skip
        peer.build_vocab(corpus_file=self.text)
        started = time.perf_counter()
        peer.train(corpus_file=self.text, total_words=peer.corpus_total_words, epochs=1)
        return self.words / (time.perf_counter() - started)


def measure(store: WordStore, peer: Gensim, dims: list[int], runs: int, threads: int) -> Iterator[dict[str, Any]]:
    """One record for each model, dimension and thread count of ours."""
    models: tuple[ModelName, ModelName] = ("skipgram", "cbow")
    for model in models:
        for dim in dims:
            rounds = [
                (ours(store, model, dim, threads), ours(store, model, dim, 1), peer(model, dim, threads))
                for _ in range(runs)
            ]
            for own_threads, column in {threads: 0, 1: 1}.items():
                yield {
                    "case": f"{model} dim {dim}, ours {own_threads} thread(s), gensim {threads}",
                    "metric": "words/s",
                    "ours": round(statistics.median(r[column] for r in rounds)),
                    "peer": round(statistics.median(r[2] for r in rounds)),
                    "ratio": round(statistics.median(r[column] / r[2] for r in rounds), 2),
                    "runs": [[round(r[column]), round(r[2])] for r in rounds],
                }


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="dim 100, three runs, at most 2.5M words")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of both sides")
    parser.add_argument("--words", type=int, help="how much text; default 2.5M (quick) or 10M")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    dims, runs, limit = ([100], 3, 2_500_000) if options.quick else ([100, 300], 5, 10_000_000)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "words"
        build_store(documents(options.words or limit), islice(documents(1000), 1), Words(), folder)
        store = WordStore.open(folder)
        text = Path(scratch) / "text.txt"
        write_text(store, text)
        words = store.manifest["splits"]["train"]["words"]
        print(f"{words} words, vocabulary {len(store.vocabulary)}, {runs} alternating runs", flush=True)
        records = []
        for record in measure(store, Gensim(text, words), dims, runs, options.threads):
            records.append(record)
            print(
                f"{record['case']}: {record['ours']:,} against {record['peer']:,} words/s, x{record['ratio']}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
