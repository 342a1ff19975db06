"""SQuAD's scores beside an independent scorer, and what is wrong with files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import DataError
from firth.tasks.measures import answers
from firth.tasks.official.squad import score_squad

TEXTS = st.lists(
    st.sampled_from(
        ["the", "a", "An", "cat", "Cat!", "U.S.", "theatre", "ß", "İ", "–", "¿", "día", "10%", "\u00a0", "x-y"]
    ),
    max_size=6,
).map(" ".join)


def predicted(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "pred.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  U.S.-based\tcat", "usbased cat"),
        ("a.n apple", "apple"),  # punctuation goes first, so that an article comes to light
        ("theatre and an anthem", "theatre and anthem"),
        ("A–B", "–b"),  # a dash that is not ASCII is no punctuation, but ends a word
        ("l'a b", "la b"),
        ("«The»", "« »"),
        ("THE", ""),
        ("a_the", "athe"),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_normalisation(text: str, normal: str) -> None:
    assert answers.normalised(text) == normal


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_answers_are_scored_as_by_torchmetrics(guess: str, gold: list[str]) -> None:
    from torchmetrics.functional.text.squad import _compute_exact_match_score, _compute_f1_score

    assert answers.exact(guess, gold) == max(float(_compute_exact_match_score(guess, text)) for text in gold)
    # Where no word is left, torchmetrics gives an F1 as the scorer of v2.0 does.
    gold = [text for text in gold if answers.normalised(text)] or ["x"]
    assert answers.f1(guess, gold) == pytest.approx(max(float(_compute_f1_score(guess, text)) for text in gold))


def test_a_case_worked_by_hand(squad, tmp_path: Path) -> None:
    gold = squad(
        {"q1": ["Denver Broncos", "The Broncos"], "q2": ["1976"], "q3": ["red, blue"], "q4": ["."], "q5": ["x"]}
    )
    # q2 is right, q1 shares one word of three and two, q3 is unanswered, q4 an exact match without a word, q5 wrong.
    guesses = {"q2": "1976", "q1": "those great Broncos", "q4": "the", "q5": "", "q9": "x", "q8": "y"}
    result = score_squad(gold, predicted(tmp_path, guesses))
    assert result.scores["exact_match"] == 100.0 * 2 / 5
    precision, recall = 1 / 3, 1 / 1
    assert result.scores["f1"] == 100.0 * (2 * precision * recall / (precision + recall) + 1.0) / 5
    assert result.counts == {"questions": 5, "unanswered": 1, "unknown": 2}
    assert result.notes == [
        "SQuAD v1.1 dev: 5 of 10,570 (subset)",
        "1 unanswered, each scores 0: q3",
        "2 answered, but not in gold: q8, q9",
    ]
    assert result.each[2] == {"id": "q3", "answers": ["red, blue"], "predicted": None, "exact_match": 0.0, "f1": 0.0}


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=6)
)
def test_an_answer_of_gold_is_right_and_the_order_changes_nothing(tmp_path_factory, questions) -> None:
    folder = tmp_path_factory.mktemp("squad")
    scores = []
    for order in (list(questions), list(questions)[::-1]):
        qas = [{"id": name, "answers": [{"text": text} for text in questions[name]]} for name in order]
        (folder / "gold.json").write_text(json.dumps({"data": [{"paragraphs": [{"qas": qas}]}]}))
        guesses = {name: questions[name][-1] for name in order[::-1]}
        scores.append(score_squad(folder / "gold.json", predicted(folder, guesses)).scores)
    assert scores[0] == pytest.approx(scores[1])
    assert scores[0]["exact_match"] == pytest.approx(100.0)
    words = sum(bool(answers.normalised(given[-1])) for given in questions.values())
    assert scores[0]["f1"] >= 100.0 * words / len(questions) - 1e-9


def test_an_exact_answer_counts_fully_for_f1(squad, tmp_path: Path) -> None:
    gold = squad({f"q{n}": [" ".join(["word"] * n)] for n in range(1, 8)})
    guesses = {f"q{n}": " ".join(["word"] * n) for n in range(1, 8)}
    assert score_squad(gold, predicted(tmp_path, guesses)).scores == {"exact_match": 100.0, "f1": 100.0}


def of(**question: object) -> dict:
    return {"data": [{"paragraphs": [{"qas": [{"id": "q", "answers": [{"text": "x"}]} | question]}]}]}


@pytest.mark.parametrize(
    ("gold", "said"),
    [
        ("", "not valid JSON: Expecting value (column 1)"),
        ('{"data": [\n}', "line 2: not valid JSON"),
        ([], "the file is a list, expected an object with 'data'"),
        ({"version": "1.1", "x": 1}, "no data; there are: version, x"),
        ({"q1": "answer"}, "these are predictions, id to answer; are gold and predictions swapped?"),
        ({"data": []}, "holds no questions"),
        ({"data": [{"title": "T"}]}, "no data[0].paragraphs; there are: title"),
        ({"data": [{"paragraphs": [{}]}]}, "no data[0].paragraphs[0].qas; there are: no keys"),
        ({"data": [{"paragraphs": {}}]}, "data[0].paragraphs is an object, expected a list"),
        ({"data": [{"paragraphs": [{"qas": ["q"]}]}]}, "data[0].paragraphs[0].qas[0] is a string, expected an object"),
        (of(answers=[{"text": "x"}, {"answer_start": 0}]), "no data[0].paragraphs[0].qas[0].answers[1].text"),
        (of(id=7), "data[0].paragraphs[0].qas[0].id is a number, expected a text"),
        (of(answers=[]), "the question 'q' has no answer; expected SQuAD v1.1, not 2.0 or a test file"),
        (of(is_impossible=True), "the question 'q' has no answer; expected SQuAD v1.1, not 2.0"),
        ({"data": of()["data"] * 2}, "data[1].paragraphs[0].qas[0].id: the question 'q' comes twice"),
    ],
)
def test_wrong_gold_is_named(gold, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gold.json"
    path.write_text(gold if isinstance(gold, str) else json.dumps(gold))
    with pytest.raises(DataError) as refused:
        score_squad(path, predicted(tmp_path, {"q": "x"}))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([{"id": "q"}], 'expected an object {"question id": "answer"}, found a list'),
        ({"q": None}, "the answer to 'q' is null, expected a text"),
        ({"q": ["x"]}, "the answer to 'q' is a list, expected a text"),
        ({}, "holds no predictions"),
        ('{"q": "x", "q": "y"}', "'q' comes twice in one object"),
        (of(), "this is a file of questions; are gold and predictions swapped?"),
    ],
)
def test_wrong_predictions_are_named(value, said: str, squad, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        score_squad(squad({"q": ["x"]}), predicted(tmp_path, value))
    assert said in str(refused.value)
    assert "pred.json" in str(refused.value)
