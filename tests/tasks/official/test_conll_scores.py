"""conlleval's numbers: published ones, an extraction of phrases by brute force, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import DataError
from firth.tasks.official.conll import score_conll

TAGS = st.sampled_from(["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "I-A-B"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=9), min_size=1, max_size=6)


def write(path: Path, sentences, columns: slice = slice(None)) -> Path:
    """A word a line, then its tags."""
    rows = ["".join(" ".join(["w", *word[columns]]) + "\n" for word in sentence) for sentence in sentences]
    path.write_text("\n".join(rows))
    return path


def phrases(tags: list[str]) -> set[tuple[int, int, str]]:
    """Every stretch of words of one type that begins where a phrase may and ends where none goes on."""

    def begins(place: int) -> bool:
        tag, before = tags[place], tags[place - 1] if place else "O"
        return tag != "O" and (tag[0] == "B" or before == "O" or before[2:] != tag[2:])

    return {
        (first, last, tags[first][2:])
        for first in range(len(tags))
        for last in range(first, len(tags))
        if begins(first)
        and not any(begins(place) or tags[place] == "O" for place in range(first + 1, last + 1))
        and (last + 1 == len(tags) or tags[last + 1] == "O" or begins(last + 1))
    }


@given(SENTENCES)
def test_phrases_are_those_of_brute_force(tmp_path_factory, sentences) -> None:
    found = score_conll(write(tmp_path_factory.mktemp("conll") / "a.txt", sentences))
    gold = [phrases([a for a, _ in sentence]) for sentence in sentences]
    guess = [phrases([b for _, b in sentence]) for sentence in sentences]
    right = sum(len(a & b) for a, b in zip(gold, guess, strict=True))
    words = [word for sentence in sentences for word in sentence]
    assert found.counts["phrases"] == sum(map(len, gold))
    assert found.counts["found"] == sum(map(len, guess))
    assert found.counts["right"] == right == sum(part["right"] for part in found.types.values())
    assert found.scores["accuracy"] == 100 * sum(a == b for a, b in words) / len(words)
    if right:
        precision, recall = 100 * right / sum(map(len, guess)), 100 * right / sum(map(len, gold))
        assert found.scores["f1"] == 2 * precision * recall / (precision + recall)
    else:
        assert found.scores["f1"] == 0.0


@given(SENTENCES, st.randoms(use_true_random=False))
def test_one_file_or_two_and_any_order_of_sentences_score_alike(tmp_path_factory, sentences, chance) -> None:
    folder = tmp_path_factory.mktemp("conll")
    one = score_conll(write(folder / "both.txt", sentences))
    two = score_conll(
        write(folder / "pred.txt", sentences, slice(1, 2)), write(folder / "gold.txt", sentences, slice(1))
    )
    assert (one.scores, one.counts, one.types) == (two.scores, two.counts, two.types)
    shuffled = list(sentences)
    chance.shuffle(shuffled)
    assert score_conll(write(folder / "both.txt", shuffled)).scores == one.scores
    gold = [[(a, a) for a, _ in sentence] for sentence in sentences]
    perfect = score_conll(write(folder / "gold.txt", gold))
    assert perfect.scores["accuracy"] == 100.0
    assert perfect.scores["f1"] == (100.0 if perfect.counts["phrases"] else 0.0)


def test_the_example_of_conlleval_s_documentation(tmp_path: Path) -> None:
    # 459 phrases, 539 found, 371 correct: precision 68.83, recall 80.83, FB1 74.35.
    sentences = [[("B-NP", "B-NP")]] * 371 + [[("B-NP", "O")]] * 88 + [[("O", "B-NP")]] * 168
    found = score_conll(write(tmp_path / "a.txt", sentences))
    assert {name: round(found.scores[name], 2) for name in ("precision", "recall", "f1")} == {
        "precision": 68.83, "recall": 80.83, "f1": 74.35,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("gold", "guess", "counts"),
    [
        ("O I-PER I-PER O", "O B-PER I-PER O", (1, 1, 1)),  # IOB1 beside IOB2
        ("I-PER B-PER", "B-PER I-PER", (2, 1, 0)),
        ("B-PER I-LOC", "I-PER I-LOC", (2, 2, 2)),  # another type begins another phrase
        ("O I-PER", "O I-LOC", (1, 1, 0)),
        ("B-PER I-PER I-PER", "B-PER I-PER O", (1, 1, 0)),
        ("B-PER O I-PER", "B-PER I-PER I-PER", (2, 1, 0)),
        ("O O", "O O", (0, 0, 0)),
    ],
)
def test_sequences(gold: str, guess: str, counts, tmp_path: Path) -> None:
    found = score_conll(write(tmp_path / "a.txt", [list(zip(gold.split(), guess.split(), strict=True))])).counts
    assert (found["phrases"], found["found"], found["right"]) == counts


def test_types_and_their_rates(tmp_path: Path) -> None:
    words = [("B-PER", "B-PER"), ("B-LOC", "B-ORG"), ("O", "O"), ("B-LOC", "B-LOC"), ("B-ORG", "O")]
    found = score_conll(write(tmp_path / "a.txt", [words]))
    assert list(found.types) == ["LOC", "ORG", "PER"]
    assert found.types["LOC"] == {
        "precision": 100.0, "recall": 50.0, "f1": pytest.approx(200 / 3), "phrases": 2, "found": 1, "right": 1,
    }  # fmt: skip
    assert found.types["ORG"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "phrases": 1, "found": 1, "right": 0}
    assert found.each == [{"sentence": 0, "phrases": 4, "found": 3, "right": 2}]


def test_sentences_end_at_blank_lines_and_boundaries(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        "-DOCSTART- -X- O O\n\na I-X I-X\n".replace("-X- O O", "O O") + "-X- x\nb I-X I-X\n \n\nc\tI-X\tI-X"
    )
    found = score_conll(path)
    assert found.counts["phrases"] == found.counts["right"] == 3
    assert (found.counts["sentences"], found.counts["documents"], found.counts["words"]) == (3, 1, 4)
    assert "-DOCSTART- lines are counted as words" in found.notes[0]


def test_document_lines_of_one_file_only(tmp_path: Path) -> None:
    gold, pred = tmp_path / "gold", tmp_path / "pred"
    gold.write_text("-DOCSTART- -X- -X- O\n\nEve NNP I-NP I-PER\nran VBD I-VP O\n\n")
    pred.write_text("Eve B-PER\nran O\n")
    found = score_conll(pred, gold)
    assert found.scores == {"precision": 100.0, "recall": 100.0, "f1": 100.0, "accuracy": 50.0}
    assert found.notes == ["without -DOCSTART- lines, which only one of the files has"]
    pred.write_text("O\n\nB-PER\nO\n")
    assert score_conll(pred, pred).scores["accuracy"] == 100.0


@pytest.mark.parametrize(
    ("pred", "gold", "said"),
    [
        ("", None, "pred: holds no words"),
        ("Eve O O\nran O\n", None, "pred, line 2: 2 fields, but the first word has 3: 'ran O'"),
        ("O\n", None, "line 1: 1 field; expected a word, its gold tag and its predicted tag"),
        ("Eve O PER\n", None, "line 1: column 3: 'PER' is no tag, which is O, B-TYPE or I-TYPE"),
        ("Eve S-PER O\n", None, "line 1: column 2: 'S-PER' is no tag"),
        ("Eve O B-\n", None, "'B-' is no tag"),
        ("Eve NNP O\n", None, "column 2: 'NNP' is no tag, which is O, B-TYPE or I-TYPE; without a gold file"),
        ("Adam O\n", "Eve O\n", "pred, line 1: the word is 'Adam', but 'Eve' in "),
        ("Eve O\nran O\n", "Eve O\n\nran O\n", "pred, line 1: a sentence of 2 words, but of 1 in "),
        ("Eve O\n", "Eve O\n\nran O\n", "pred: 1 sentences, but 2 in "),
        ("Eve O\n", "", "gold: holds no words"),
    ],
)
def test_wrong_files_are_named(pred: str, gold: str | None, said: str, tmp_path: Path) -> None:
    (tmp_path / "pred").write_text(pred)
    if gold is not None:
        (tmp_path / "gold").write_text(gold)
    with pytest.raises(DataError) as refused:
        score_conll(tmp_path / "pred", None if gold is None else tmp_path / "gold")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_columns_that_are_not_meant_are_remarked(tmp_path: Path) -> None:
    found = score_conll(write(tmp_path / "a.txt", [[("I-NP", "I-ORG"), ("I-VP", "O")]]))
    assert "no type in common (NP, VP / ORG): are these the right columns?" in found.notes[0]
