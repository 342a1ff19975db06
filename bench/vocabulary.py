"""Counting a vocabulary beside gensim's scan: same text file, alternating runs.

    python -m bench.vocabulary --quick                  # 20 MB of text, at most a minute
    python -m bench.vocabulary --json vocabulary.json   # 100 MB, seven runs

The text is the prepared corpus of this clone (`data/corpus`, after `make demo`), repeated if need be, or with
`FIRTH_DATA` set the Wikipedia articles there. It is cut into words beforehand, one sentence a line, so that both sides
count the same words; that they do is checked. Ours also lower-cases, splits off punctuation, checks the UTF-8, and
writes the text as ids, which gensim does not. Both start with their code compiled and the file in the page cache.

- scan: MB of text per second of processor time; ours writes provisional ids meanwhile;
- vocabulary: MB/s of wall time from the file to what training needs: gensim's `build_vocab`, our whole store on disk;
- memory: by how much a process that has done the same on a small text before grows at most (anonymous pages; mapped
  files are the system's to keep or drop).

A ratio is the median over the ratios of neighbouring runs, so that what else the machine does weighs on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import psutil
from bench.word2vec import documents

from firth.config.text import Words
from firth.tokens.counting import Counting
from firth.tokens.encode import build_store_from_files
from firth.tokens.store import WordStore
from firth.tokens.text_files import read_pieces
from firth.tokens.words import SENTENCE_END, split

MIN_COUNT = 5
SETTINGS = Words(min_count=MIN_COUNT)


def write_text(path: Path, size: int) -> None:
    """About `size` bytes of text, cut into words."""
    written = 0
    with path.open("wb") as stream:
        while written < size:
            for document in documents(10**12):
                text = " ".join(split(document, True, "keep")).replace(f" {SENTENCE_END} ", SENTENCE_END)
                written += stream.write(text.rstrip(" ").encode())
                if written >= size:
                    break


def scan(text: Path, folder: Path) -> None:
    """Our first reading alone."""
    folder.mkdir(exist_ok=True)
    with Counting(folder, SETTINGS, 1) as counted:
        counted.read(read_pieces([text], 0.0))


def build(text: Path, folder: Path, threads: int) -> None:
    """Our whole store."""
    build_store_from_files([text], SETTINGS, folder, threads=threads)


def peer(text: Path, whole: bool) -> Any:
    """The scan of gensim, or all of its `build_vocab` (with the smallest vectors, which are no part of this)."""
    from gensim.models import Word2Vec as Peer

    model = Peer(vector_size=1, min_count=MIN_COUNT)
    if whole:
        model.build_vocab(corpus_file=str(text))
    else:
        model.scan_vocab(corpus_file=str(text))
    return model


def seconds(clock: Callable[[], float], work: Callable[[], object]) -> float:
    """How long `work` takes by `clock`."""
    started = clock()
    work()
    return clock() - started


def measure(text: Path, folder: Path, runs: int, threads: int) -> Iterator[dict[str, Any]]:
    """One record for the scan, one for the vocabulary with each number of threads."""
    size = text.stat().st_size / 1e6
    cases: list[tuple[str, str, Callable[[], float], Callable[[], object], bool]] = [
        ("scan, ours with provisional ids", "MB per CPU second", time.process_time, lambda: scan(text, folder), False)
    ]
    for count in sorted({1, threads}):
        case = f"vocabulary, ours with encoding, {count} thread(s)"
        cases.append((case, "MB/s", time.perf_counter, partial(build, text, folder, count), True))
    for case, metric, clock, ours, whole in cases:
        theirs = partial(peer, text, whole)
        yield record(case, metric, [(size / seconds(clock, ours), size / seconds(clock, theirs)) for _ in range(runs)])


def record(case: str, metric: str, rows: list[tuple[float, float]]) -> dict[str, Any]:
    """Medians of (ours, peer) rows."""
    return {
        "case": case,
        "metric": metric,
        "ours": round(statistics.median(row[0] for row in rows), 1),
        "peer": round(statistics.median(row[1] for row in rows), 1),
        "ratio": round(statistics.median(row[0] / row[1] for row in rows), 2),
        "runs": [[round(value, 1) for value in row] for row in rows],
    }


def check(text: Path, folder: Path) -> None:
    """Both sides must have counted the same."""
    store = WordStore.open(folder)
    keyed = peer(text, True).wv
    theirs = {word: keyed.get_vecattr(word, "count") for word in keyed.index_to_key}
    if theirs != dict(zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True)):
        raise SystemExit("the two vocabularies differ: this comparison means nothing")


def peak_growth(side: str, text: Path, threads: int) -> float:
    """MB by which this process grows at most over `text`, after a small text; run in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        small, folder = Path(scratch) / "small.txt", Path(scratch) / "words"
        small.write_text("one two three\n" * 1000)

        def work(path: Path) -> None:
            if side == "gensim":
                peer(path, True)
            else:
                build(path, folder, threads)

        work(small)
        before = held()
        peaks = [before]
        done = Event()

        def watch() -> None:
            while not done.wait(0.005):
                peaks[0] = max(peaks[0], held())

        watcher = Thread(target=watch)
        watcher.start()
        try:
            work(text)
        finally:
            done.set()
            watcher.join()
        return (peaks[0] - before) / 1e6


def held() -> int:
    """Anonymous memory of this process that is in use, in bytes."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - memory.shared)


def memory(text: Path, threads: int) -> dict[str, Any]:
    """Growth of both sides' peaks; the ratio is ours over gensim's."""

    def growth(side: str) -> float:
        command = [sys.executable, "-m", "bench.vocabulary", "--growth-of", side, str(text), "--threads", str(threads)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return record(f"growth of peak memory, ours {threads} thread(s)", "MB", [(growth("firth"), growth("gensim"))])


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 MB of text, three runs")
    parser.add_argument("--megabytes", type=int, help="how much text; default 20 (quick) or 100")
    parser.add_argument(
        "--threads", type=int, default=min(2, os.cpu_count() or 1), help="of ours; gensim scans with one"
    )
    parser.add_argument("--json", type=Path, help="write the records there")
    parser.add_argument("--growth-of", nargs=2, metavar=("SIDE", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.growth_of:
        print(peak_growth(options.growth_of[0], Path(options.growth_of[1]), options.threads))
        return
    megabytes, runs = (20, 3) if options.quick else (100, 7)
    with tempfile.TemporaryDirectory() as scratch:
        text, folder = Path(scratch) / "text.txt", Path(scratch) / "words"
        write_text(text, (options.megabytes or megabytes) * 1_000_000)
        build(text, folder, options.threads)  # compiles, and reads the file into the page cache
        check(text, folder)
        print(f"{text.stat().st_size / 1e6:.0f} MB, {np.count_nonzero(WordStore.open(folder).train >= 0)} words kept")
        records = []
        for row in measure(text, folder, runs, options.threads):
            records.append(row)
            _print(row)
        records.append(memory(text, options.threads))
        _print(records[-1])
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n")


def _print(row: dict[str, Any]) -> None:
    print(
        f"{row['case']:50s} {row['metric']:18s} {row['ours']:8.1f} {row['peer']:8.1f} {row['ratio']:6.2f}", flush=True
    )


if __name__ == "__main__":
    main()
