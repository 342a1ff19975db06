"""From a folder of raw shards to a verdict on it, and to the files that say why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from firth.canonical import dumps, read_json, write_atomic
from firth.config.text import Validation
from firth.progress import Meter, step
from firth.shards import ShardEntry, read_shards
from firth.validation.docs import render
from firth.validation.expectations import expectations
from firth.validation.judge import Judgement, judge
from firth.validation.statistics import Collector

COLUMNS = ["doc_id", "source", "text"]


@dataclass(frozen=True)
class Verdict:
    """Whether a corpus may be trained on, and the files that show why: name below the output folder → bytes."""

    corpus: str
    judgements: Sequence[Judgement]
    files: dict[str, bytes]

    @property
    def success(self) -> bool:
        """Every expectation was met."""
        return all(judgement.success for judgement in self.judgements)

    @property
    def message(self) -> str:
        """Each failed expectation, expected against observed, with example documents."""
        failed = [judgement for judgement in self.judgements if not judgement.success]
        lines = [f"corpus {self.corpus} fails {len(failed)} of {len(self.judgements)} expectations"]
        for entry in failed:
            lines.append(f"  ✗ {entry.name} ({entry.column}): expected {entry.expected}; observed {entry.seen}")
            lines += [f"      {example['doc_id']}: {example['text'] or '(empty)'}" for example in entry.examples]
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Replace `folder` by `results.json`, `statistics.json` and `docs/`."""
        if folder.exists():
            shutil.rmtree(folder)
        for name, data in self.files.items():
            write_atomic(folder / name, data)


def validate_corpus(corpus: str, folder: Path, bounds: Validation) -> Verdict:
    """Count all documents of the raw shards in `folder`, judge them, and render the pages; nothing is written.

    Raises `IntegrityError` where the manifest is missing or a shard is not what it names.
    """
    entries: list[ShardEntry] = read_json(folder / "manifest.json")["shards"]
    collector = Collector(bounds)
    with Meter(f"validate {corpus}", sum(entry["documents"] for entry in entries), "documents") as meter:
        for entry in entries:
            collector.shard(entry["file"], _metered(read_shards(folder, [entry], COLUMNS), meter))
    statistics = collector.finish(lambda numbers: _documents_at(folder, entries, numbers))
    sample = collector.sample.rows()
    with step(f"validate {corpus}: judge the statistics and {len(sample)} sampled documents"):
        judgements, results = judge(expectations(bounds), statistics, sample)
        pages = render(corpus, judgements, statistics, results, len(sample))
    success = all(judgement.success for judgement in judgements)
    listed = [judgement.as_json() for judgement in judgements]
    return Verdict(
        corpus=corpus,
        judgements=judgements,
        files={
            "results.json": dumps({"corpus": corpus, "success": success, "expectations": listed}).encode(),
            "statistics.json": dumps(statistics.as_json(corpus)).encode(),
            **{f"docs/{name}": page.encode() for name, page in pages.items()},
        },
    )


def _metered(documents: Iterator[dict[str, Any]], meter: Meter) -> Iterator[dict[str, Any]]:
    for document in documents:
        yield document
        meter.advance(1)


def _documents_at(folder: Path, entries: list[ShardEntry], numbers: list[int]) -> list[dict[str, Any]]:
    """The documents with these ascending numbers, read again."""
    found: list[dict[str, Any]] = []
    first = 0
    for entry in entries:
        here = [wanted - first for wanted in numbers if first <= wanted < first + entry["documents"]]
        if here:
            documents = list(islice(read_shards(folder, [entry], COLUMNS), here[-1] + 1))
            found += [documents[wanted] for wanted in here]
        first += entry["documents"]
    return found
