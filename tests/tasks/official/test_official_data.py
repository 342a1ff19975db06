"""The real sets, where `FIRTH_DATA` points to them: all are read whole, and published numbers come out."""

from __future__ import annotations

import json
import lzma
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from firth.errors import DataError
from firth.tasks.measures.entities import entities
from firth.tasks.official.conll import score_conll
from firth.tasks.official.glue import TASKS
from firth.tasks.official.glue_files import read_gold, read_texts
from firth.tasks.official.glue_scores import dev_file, score_folder
from firth.tasks.official.squad import read_questions, score_squad

DATA = Path(os.environ.get("FIRTH_DATA", "."))

pytestmark = [
    pytest.mark.skipif("FIRTH_DATA" not in os.environ, reason="FIRTH_DATA is not set: no GLUE, SQuAD and CoNLL files"),
    pytest.mark.slow,
]

SUBSETS = {"qqp": 20_215, "mnli-mm": 8_837}
TRAIN = {"cola": 8_551, "sst-2": 67_349, "mrpc": 3_668, "rte": 2_490, "wnli": 635, "sts-b": 5_749}


def test_glue_s_dev_files_beside_themselves_score_100(tmp_path: Path) -> None:
    tasks = [task for task in TASKS.values() if "dev" in task.rows]
    for task in tasks:
        rows = read_gold(dev_file(DATA / "glue", task), task).rows
        assert len(rows) == SUBSETS.get(task.name, task.rows["dev"])
        given = (f"{number if row.index is None else row.index}\t{row.label}\n" for number, row in enumerate(rows))
        (tmp_path / task.file).write_text("".join(["index\tprediction\n", *given]))
    scored = score_folder(DATA / "glue", tmp_path)
    for name, one in scored.tasks.items():
        assert all(value == pytest.approx(100.0, abs=1e-9) for value in one.result.scores.values()), name
        assert ("(subset)" if name in SUBSETS else "(full)") in one.result.notes[0]
    assert scored.whole.scores["average"] == pytest.approx(100.0)


def test_glue_s_train_files_are_read_whole() -> None:
    for name, rows in TRAIN.items():
        task = TASKS[name]
        found = read_gold(DATA / "glue" / task.folder / "train.tsv.xz", task)
        assert len(found.rows) == rows == task.rows["train"]
        assert "(full)" in found.notes()[0]
    labels = Counter(row.label for row in read_gold(DATA / "glue" / "MRPC" / "train.tsv.xz", TASKS["mrpc"]).rows)
    assert labels == {"1": 2_474, "0": 1_194}


def test_glue_s_dev_files_are_answered_row_by_row() -> None:
    """What a model is asked is what it would be scored on, in order, each row with its own number."""
    for task in (task for task in TASKS.values() if "dev" in task.rows):
        path = dev_file(DATA / "glue", task)
        asked, gold = read_texts(path, task).rows, read_gold(path, task).rows
        assert [(one.index, one.texts) for one in asked] == [(one.index, one.texts) for one in gold], task.name


def test_a_file_that_was_not_copied_to_its_end(tmp_path: Path) -> None:
    packed = dev_file(DATA / "glue", TASKS["rte"])
    (tmp_path / packed.name).write_bytes(packed.read_bytes()[:-2_000])
    with pytest.raises(DataError, match=r"dev\.tsv\.xz.*: .*xz.*end"):
        read_gold(tmp_path / packed.name, TASKS["rte"])
    plain = lzma.decompress(packed.read_bytes())
    (tmp_path / "dev.tsv").write_bytes(plain[: plain.rindex(b"\t")])
    with pytest.raises(DataError, match=r"dev\.tsv, line 278: 3 fields between tabs, but the first line has 4"):
        read_gold(tmp_path / "dev.tsv", TASKS["rte"])


def test_squad_s_dev_file(tmp_path: Path) -> None:
    gold = DATA / "squad" / "dev-v1.1.json.xz"
    questions = read_questions(gold)
    assert (len(questions), sum(len(one.answers) for one in questions)) == (10_570, 34_726)
    pred = tmp_path / "pred.json"
    pred.write_text(json.dumps({one.id: one.answers[0] for one in questions}))
    found = score_squad(gold, pred)
    assert found.scores == {"exact_match": 100.0, "f1": 100.0}
    assert found.notes == ["SQuAD v1.1 dev: 10,570 of 10,570 (full)"]
    pred.write_text(json.dumps({one.id: one.answers[0] for one in questions[:1000]}))
    assert score_squad(gold, pred).counts == {"questions": 10_570, "unanswered": 9_570, "unknown": 0}
    assert score_squad(gold, pred).scores["exact_match"] == 100.0 * 1000 / 10_570


def sentences(name: str) -> list[list[tuple[str, str]]]:
    """Words and tags of a file of CoNLL-2003."""
    with lzma.open(DATA / "conll2003" / f"eng.{name}.xz", "rt", encoding="utf-8") as stream:
        blocks = stream.read().split("\n\n")
    rows = [[line.split() for line in block.splitlines() if line.strip()] for block in blocks]
    return [[(row[0], row[-1]) for row in block] for block in rows if block]


def lookup() -> dict[tuple[str, ...], str]:
    """The shared task's baseline: each phrase of the training side with its most frequent type."""
    kinds: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for sentence in sentences("train"):
        for kind, start, end in entities([tag for _, tag in sentence]):
            kinds[tuple(word for word, _ in sentence[start:end])][kind] += 1
    return {phrase: min(count, key=lambda kind: (-count[kind], kind)) for phrase, count in kinds.items()}


def tagged(words: list[str], known: dict[tuple[str, ...], str], longest: int) -> list[str]:
    """From the left, the longest phrase that is known."""
    tags = ["O"] * len(words)
    place = 0
    while place < len(words):
        lengths = range(min(longest, len(words) - place), 0, -1)
        length = next((n for n in lengths if tuple(words[place : place + n]) in known), 0)
        if length:
            kind = known[tuple(words[place : place + length])]
            tags[place : place + length] = [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        place += length or 1
    return tags


def test_the_shared_task_s_baseline_gets_its_published_scores(tmp_path: Path) -> None:
    known = lookup()
    longest = max(map(len, known))
    published = {
        "testa": ((51_578, 5_942, 4_948, 3_876), (84.76, 78.33, 65.23, 71.18), (80.52, 83.52, 66.43, 55.20)),
        "testb": ((46_666, 5_648, 3_998, 2_875), (83.18, 71.91, 50.90, 59.61), (76.25, 71.31, 60.24, 22.85)),
    }
    for name, (counts, scores, types) in published.items():
        path = tmp_path / name
        with path.open("w", encoding="utf-8") as stream:
            for sentence in sentences(name):
                guesses = tagged([word for word, _ in sentence], known, longest)
                lines = (f"{word} {tag} {guess}\n" for (word, tag), guess in zip(sentence, guesses, strict=True))
                stream.write("".join(lines) + "\n")
        found = score_conll(path)
        assert tuple(found.counts[key] for key in ("words", "phrases", "found", "right")) == counts
        assert tuple(round(found.scores[key], 2) for key in ("accuracy", "precision", "recall", "f1")) == scores
        assert tuple(round(found.types[kind]["f1"], 2) for kind in ("LOC", "MISC", "ORG", "PER")) == types


@pytest.mark.parametrize(("name", "count", "phrases"), [("testa", 3_250, 5_942), ("testb", 3_453, 5_648)])
def test_conll_beside_itself(name: str, count: int, phrases: int) -> None:
    path = DATA / "conll2003" / f"eng.{name}.xz"
    found = score_conll(path, path)
    assert found.scores == {"precision": 100.0, "recall": 100.0, "f1": 100.0, "accuracy": 100.0}
    assert (found.counts["sentences"], found.counts["right"]) == (count, phrases)
