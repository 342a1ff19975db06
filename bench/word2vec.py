"""Training speed of word2vec beside gensim's: same text, same vocabulary, same settings, alternating runs.

    python -m bench.word2vec --quick                                # dim 100, at most 3 minutes
    python -m bench.word2vec --toolkit ~/word2vec --json speed.json # dims 100 and 300, five runs, the C toolkit too

The text is the prepared corpus of this clone (`data/corpus`, after `make demo`), or with `FIRTH_DATA` set the
Wikipedia articles there. Only training is timed, in corpus words a second of wall time; all sides start with their
vocabulary built and their code compiled. A ratio is the median over the ratios of neighbouring runs, so that what else
the machine does weighs on all sides alike. Memory is measured in a process of its own: how far the peak grows while
training, beyond both matrices and the mapped corpus.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from bench.peers import RATES, Gensim, Task, Toolkit, Trained, write_text

from firth.canonical import read_json
from firth.config.text import Words
from firth.config.word2vec import Recipe, Word2Vec
from firth.errors import FirthError
from firth.shards import read_shards
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.word2vec.engine import Engine
from firth.word2vec.engines import make_engine
from firth.word2vec.schedule import Schedule

CORPUS = Path("data/corpus")
MEGABYTE = 1 << 20


class Peer(Protocol):
    """A trainer of `bench.peers`."""

    name: str

    def train(self, task: Task) -> Trained:
        """Train anew."""


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


def settings_of(task: Task) -> Word2Vec:
    """Ours, equal to the peers'."""
    recipe = Recipe(learning_rate=RATES[task.model], epochs=task.epochs)
    return Word2Vec(dim=task.dim, threads=task.threads, seed=task.seed, skipgram=recipe, cbow=recipe)


def run(engine: Engine, store: WordStore, task: Task) -> float:
    """Train `engine` by the schedule; seconds."""
    schedule = Schedule.of(store.train, engine.settings.block_words, task.epochs)
    engine.train(store.train, 0, 0, (0, 0), 0, 1)  # loads or compiles the kernel
    started = time.perf_counter()
    for step in range(len(schedule)):
        epoch, index, block = schedule.at(step)
        engine.train(
            store.train, block.start, block.stop, (epoch, index), schedule.seen_before(step), schedule.total_words
        )
    return time.perf_counter() - started


def ours(store: WordStore, task: Task) -> Trained:
    """Our side of a comparison."""
    engine = make_engine(task.model, store.vocabulary, settings_of(task))
    seconds = run(engine, store, task)
    engine.close()
    return Trained(list(store.vocabulary.words), engine.vectors()["input"], seconds)


def compare(
    store: WordStore, peers: Sequence[Peer], dims: list[int], runs: int, threads: int
) -> Iterator[dict[str, Any]]:
    """One record for each model, dimension, thread count of ours and peer."""
    words = store.manifest["splits"]["train"]["words"]
    for model in RATES:
        for dim in dims:
            task, alone = Task(model, dim, threads), Task(model, dim, 1)
            rounds = [
                {
                    threads: words / ours(store, task).seconds,
                    1: words / ours(store, alone).seconds,
                    **{peer.name: words / peer.train(task).seconds for peer in peers},
                }
                for _ in range(runs)
            ]
            for peer in peers:
                for own in dict.fromkeys((threads, 1)):
                    yield {
                        "case": f"{model} dim {dim}, ours {own} thread(s), {peer.name} {threads}",
                        "metric": "words/s",
                        "ours": round(statistics.median(r[own] for r in rounds)),
                        "peer": round(statistics.median(r[peer.name] for r in rounds)),
                        "ratio": round(statistics.median(r[own] / r[peer.name] for r in rounds), 2),
                        "runs": [[round(r[own]), round(r[peer.name])] for r in rounds],
                    }


def memory(folder: Path, dim: int, threads: int) -> dict[str, Any]:
    """Megabytes that the peak grows by in training, in a process of its own."""
    said = subprocess.run(
        [sys.executable, "-m", "bench.word2vec", "--grow", str(folder), str(dim), str(threads)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    growth = float(said.stdout)
    return {
        "case": f"skipgram dim {dim}, {threads} thread(s)", "metric": "MB of peak memory beyond matrices and corpus",
        "ours": round(growth, 1), "peer": None, "ratio": None, "runs": [growth],
    }  # fmt: skip


def grow(folder: Path, dim: int, threads: int) -> None:
    """What `memory` starts: print the growth."""
    store = WordStore.open(folder)
    warm = make_engine("skipgram", store.vocabulary, settings_of(Task("skipgram", dim, threads)))
    warm.train(store.train, 0, min(len(store.train), 50_000), (0, 0), 0, 1_000_000)
    warm.close()
    needed = sum(matrix.shape[0] * -(-matrix.shape[1] // 16) * 64 for matrix in warm.state.values())
    del warm
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = _status("VmRSS")
    task = Task("skipgram", dim, threads)
    engine = make_engine("skipgram", store.vocabulary, settings_of(task))
    run(engine, store, task)
    engine.close()
    print((_status("VmHWM") - before - needed - store.train.nbytes) / MEGABYTE)


def _status(key: str) -> int:
    """Bytes of one line of this process's status."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise FirthError(f"/proc/self/status has no {key}")


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    if sys.argv[1:2] == ["--grow"]:
        grow(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="dim 100, three runs, at most 2.5M words")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of all sides")
    parser.add_argument("--words", type=int, help="how much text; default 2.5M (quick) or 10M")
    parser.add_argument("--toolkit", type=Path, help="folder with the C toolkit's word2vec.c: measured too")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    dims, runs, limit = ([100], 3, 2_500_000) if options.quick else ([100, 300], 5, 10_000_000)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "words"
        build_store(documents(options.words or limit), islice(documents(1000), 1), Words(), folder)
        store = WordStore.open(folder)
        text = Path(scratch) / "text.txt"
        write_text(store, text)
        peers: list[Peer] = [Gensim(text)]
        if options.toolkit:
            peers.append(Toolkit(options.toolkit.expanduser(), text, store, Path(scratch)))
        words = store.manifest["splits"]["train"]["words"]
        print(f"{words} words, vocabulary {len(store.vocabulary)}, {runs} alternating runs", flush=True)
        records = []
        for record in compare(store, peers, dims, runs, options.threads):
            records.append(record)
            print(
                f"{record['case']}: {record['ours']:,} against {record['peer']:,} words/s, x{record['ratio']}",
                flush=True,
            )
        for dim in dims:
            records.append(memory(folder, dim, options.threads))
            print(f"{records[-1]['case']}: {records[-1]['ours']} {records[-1]['metric']}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
