"""From raw, validated corpora to the training corpus: one pass over the documents, in the order of their ids."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from firth.canonical import read_json, write_json
from firth.config.text import Prepare
from firth.corpus.drops import Drops
from firth.corpus.folders import whole_folder
from firth.corpus.prepare.decontaminate import DevTexts
from firth.corpus.prepare.duplicates import EXACT, Duplicates
from firth.corpus.prepare.repair import repaired
from firth.corpus.prepare.sentences import sentences
from firth.errors import DataError
from firth.progress import Meter
from firth.shards import CORPUS_SCHEMA, ShardEntry, read_shards, write_shards
from firth.textkeys import chosen

Row = tuple[dict[str, Any], int]


def prepare(
    names: Iterable[str], settings: Prepare, data: Path, dev_texts: Mapping[str, Iterable[str]] | None = None
) -> dict[str, Any]:
    """Clean corpora `names` from `data/raw` into `data/corpus`; the drop table that was written there.

    Corpora are read in the order of their names, documents in the order of their ids; of duplicates the first is kept.
    Which side of the train/held-out split a document is on depends on its text and the seed alone. Sentences that share
    `settings.decontamination_words` words in a row with one of `dev_texts` (by task) are taken out of both sides.

    Raises:
        DataError: a corpus was not validated or did not pass; or no document is left to train on.
        IntegrityError: a raw shard is missing or altered.
    """
    names = sorted(names)
    for name in names:
        require_valid(name, data)
    manifests = {name: read_json(data / "raw" / name / "manifest.json") for name in names}
    total = sum(entry["words"] for manifest in manifests.values() for entry in manifest["shards"])
    documents = (
        document
        for name, manifest in manifests.items()
        for document in read_shards(data / "raw" / name, manifest["shards"])
    )
    words = settings.decontamination_words
    work = _Work(settings, DevTexts(dev_texts, words) if dev_texts and words else None)
    with (
        whole_folder(data / "corpus", data / ".part-corpus") as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8", prefix="firth-heldout-") as aside,
        Meter("prepare", total, "words") as meter,  # not documents: a book is a hundred articles long
    ):
        shard_bytes = settings.shard_megabytes * 2**20
        training = write_shards(work.training(documents, aside, meter), folder / "train", CORPUS_SCHEMA, shard_bytes)
        aside.seek(0)
        heldout = write_shards(map(_row, aside), folder / "heldout", CORPUS_SCHEMA, shard_bytes)
        if not training:
            raise DataError(f"prepare: no document is left to train on; {_reasons(work.drops)}")
        write_json(folder / "manifest.json", _manifest(training, heldout))
        result = {"table": work.drops.table(), "kept": work.kept}
        write_json(folder / "drops.json", result)
    return result


def require_valid(name: str, data: Path) -> None:
    """Raise `DataError` unless corpus `name` passed validation; the message names what failed."""
    path = data / "validation" / name / "results.json"
    if not path.is_file():
        raise DataError(f"corpus {name} was not validated; run the stage validate@{name} first", path)
    results = read_json(path)
    if results.get("success") is not True:
        failed = [item["name"] for item in results.get("expectations", []) if not item["success"]]
        raise DataError(f"corpus {name} did not pass validation ({', '.join(failed)})", path)


@dataclass(slots=True)
class _Work:
    """One pass: what was dropped and kept so far."""

    settings: Prepare
    dev_texts: DevTexts | None
    drops: Drops = field(default_factory=Drops)
    kept: dict[str, dict[str, int]] = field(default_factory=dict)

    def training(self, documents: Iterable[dict[str, Any]], aside: IO[str], meter: Meter) -> Iterator[Row]:
        """Training documents; held-out ones, few by nature, are written to `aside` as lines of JSON."""
        settings, read = self.settings, 0
        with Duplicates(
            similarity=settings.similarity,
            shingle_words=settings.shingle_words,
            permutations=settings.permutations,
            seed=settings.seed,
            near=settings.near_duplicates,
        ) as duplicates:
            for document in documents:
                cleaned = self._cleaned(document, duplicates)
                if cleaned is not None:
                    row, words, heldout = cleaned
                    if heldout:
                        aside.write(json.dumps([row, words], ensure_ascii=False) + "\n")
                    else:
                        yield row, words
                read += 1
                meter.advance(len(document["text"].split()), f"document {read:,}")

    def _cleaned(self, document: dict[str, Any], duplicates: Duplicates) -> tuple[dict[str, Any], int, bool] | None:
        settings, source = self.settings, document["source"]
        kept = self.kept.setdefault(source, {"documents": 0, "words": 0, "train": 0, "heldout": 0})
        raw_words = document["text"].split()
        if max(map(len, raw_words), default=0) > settings.max_word_length:
            # First of all: nothing slower than a split may see a text of megabytes without a blank.
            self._drop(document, f"a word of over {settings.max_word_length} characters", len(raw_words))
            return None
        paragraphs = repaired(document["text"])
        text = "\n\n".join(paragraphs)
        words = len(text.split())
        if words < settings.min_words:
            self._drop(document, f"fewer than {settings.min_words} words", words)
            return None
        if (duplicate := duplicates.seen(document["doc_id"], text)) is not None:
            reason, earlier = duplicate
            self._drop(document, reason, words, f"{'equal' if reason == EXACT else 'similar'} to {earlier}: ")
            return None
        found = [sentence for paragraph in paragraphs for sentence in sentences(paragraph, settings.language)]
        if not found:
            self._drop(document, "no letter or digit", words)
            return None
        sentences_before = len(found)
        if self.dev_texts is not None:
            found = self._decontaminated(document, found, self.dev_texts)
        words = sum(len(sentence.split()) for sentence in found)
        if len(found) < sentences_before and words < settings.min_words:
            self._drop(document, f"fewer than {settings.min_words} words beside dev texts", words)
            return None
        heldout = chosen(text, settings.heldout_share, f"heldout {settings.seed}")
        row = {"doc_id": document["doc_id"], "source": source, "title": document["title"], "sentences": found}
        kept["documents"] += 1
        kept["words"] += words
        kept["heldout" if heldout else "train"] += 1
        return row, words, heldout

    def _decontaminated(self, document: dict[str, Any], found: list[str], dev_texts: DevTexts) -> list[str]:
        """The sentences that share no run with a dev text; for the others the document is counted once by task."""
        kept, taken = dev_texts.without(found)
        by_task: dict[str, list[str]] = {}
        for sentence, task in taken:
            by_task.setdefault(task, []).append(sentence)
        for task, shared in by_task.items():
            self.drops.add(
                f"sentences sharing {self.settings.decontamination_words} words in a row with a dev text of {task}",
                f"{document['doc_id']}: {shared[0]}",
                document["source"],
                sum(len(sentence.split()) for sentence in shared),
            )
        return kept

    def _drop(self, document: dict[str, Any], reason: str, words: int, note: str = "") -> None:
        example = f"{document['doc_id']}: {note}{document['text'][:1000]}"
        self.drops.add(reason, example, document["source"], words)


def _row(line: str) -> Row:
    row, words = json.loads(line)
    return row, words


def _manifest(training: list[ShardEntry], heldout: list[ShardEntry]) -> dict[str, Any]:
    """One list of shards, `file` relative to the corpus's folder; totals for both sides and for each."""
    sides = {"train": training, "heldout": heldout}
    counts = {
        side: {key: sum(entry[key] for entry in entries) for key in ("documents", "words")}
        for side, entries in sides.items()
    }
    return {
        "shards": [
            {**entry, "file": f"{side}/{entry['file']}"} for side, entries in sides.items() for entry in entries
        ],
        "documents": sum(count["documents"] for count in counts.values()),
        "words": sum(count["words"] for count in counts.values()),
        **counts,
    }


def _reasons(drops: Drops) -> str:
    found = ", ".join(f"{row['documents']} of {row['source']}: {row['reason']}" for row in drops.table())
    return f"dropped: {found}" if found else "the raw corpora are empty or every document is held out"
