"""Metrics against worked cases and sklearn, and what holds for any labels, answers and tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.tasks.measures import answers, classes, entities, measures

LABELS = st.sampled_from(["a", "b", "ç", "neutral"])
TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-ORT", "I-ORT", "B-é"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=12), min_size=1, max_size=8)


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=40))
def test_labels_are_scored_as_sklearn_does(pairs) -> None:
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    gold, guess = [a for a, _ in pairs], [b for _, b in pairs]
    found = {name: measure.score for name, measure in classes.measures(gold, guess).items()}
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, guess))
    assert found["f1"] == pytest.approx(f1_score(gold, guess, average="macro", zero_division=0))
    if len({*gold, *guess}) > 1:
        assert found["matthews"] == pytest.approx(matthews_corrcoef(gold, guess), abs=1e-9)


def test_f1_of_one_label_for_sets_whose_scorer_asks_for_it() -> None:
    gold, guess = ["1", "1", "1", "0"], ["1", "1", "0", "1"]
    assert classes.measures(gold, guess, positive="1")["f1"].score == pytest.approx(2 / 3)
    assert classes.measures(gold, guess)["f1"].score == pytest.approx((2 / 3 + 0) / 2)
    assert classes.measures(["0", "0"], ["0", "0"], positive="1")["f1"].score == 0.0


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_examples_and_doubling_them_change_no_score(pairs, chance) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    for name, measure in classes.measures([a for a, _ in pairs], [b for _, b in pairs]).items():
        for other in (shuffled, pairs * 2):
            again = classes.measures([a for a, _ in other], [b for _, b in other])[name].score
            assert again == pytest.approx(measure.score, abs=1e-12)


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "f1"),
    [
        ("The Normans", ["Normans"], 1.0, 1.0),
        ("in the 10th and 11th centuries", ["10th and 11th centuries", "the 10th century"], 0.0, 8 / 9),
        ("San-Francisco", ["San Francisco"], 0.0, 0.0),
        ("a  b", ["b"], 1.0, 1.0),
        ("", ["Paris"], 0.0, 0.0),
        ("the", ["an"], 1.0, 0.0),  # no word is left: the scorer of v1.1 gives no F1 for that
        ("Zürich, Zürich", ["zürich"], 0.0, 2 / 3),
        ("naïve", ["naive", "NAÏVE!"], 1.0, 1.0),
    ],
)
def test_answers_are_scored_as_squad_does(predicted, gold, exact, f1) -> None:
    assert answers.exact(predicted, gold) == exact
    assert answers.f1(predicted, gold) == pytest.approx(f1)


@given(st.text(max_size=30), st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_answers_keep_their_bounds(predicted, gold) -> None:
    assert 0.0 <= answers.f1(predicted, gold) <= 1.0
    if answers.normalised(predicted):
        assert answers.exact(predicted, gold) <= answers.f1(predicted, gold)
    assert answers.exact(gold[0], gold) == 1.0
    assert answers.f1(gold[-1], gold) == float(bool(answers.normalised(gold[-1])))
    assert answers.f1(predicted, gold) == answers.f1(predicted, gold[::-1])
    assert answers.f1(predicted, [gold[0]]) == answers.f1(gold[0], [predicted])


def test_entities_of_the_conll_scorer() -> None:
    assert entities.entities(["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]) == {
        ("PER", 0, 2), ("LOC", 3, 4), ("LOC", 4, 5),
    }  # fmt: skip
    assert entities.entities(["O", "I-ORG", "I-ORG", "I-LOC", "O"]) == {("ORG", 1, 3), ("LOC", 3, 4)}
    assert entities.entities(["B-PER", "I-LOC"]) == {("PER", 0, 1), ("LOC", 1, 2)}
    assert entities.entities(["I-PER", "B-PER"]) == {("PER", 0, 1), ("PER", 1, 2)}
    assert entities.entities([]) == entities.entities(["O", "O"]) == set()


def test_a_worked_case_of_entity_scores() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "I-ORG", "I-ORG"], ["O"]]
    guess = [["B-PER", "I-PER", "O", "B-ORG"], ["B-ORG", "I-ORG", "O"], ["B-LOC"]]
    found = {name: measure.score for name, measure in entities.measures(gold, guess).items()}
    assert found["entity_precision"] == pytest.approx(1 / 4)
    assert found["entity_recall"] == pytest.approx(1 / 3)
    assert found["entity_f1"] == pytest.approx(2 / 7)
    assert found["accuracy"] == pytest.approx(5 / 8)


@given(SENTENCES)
def test_entity_scores_hold_their_bounds_and_are_perfect_for_what_is_right(sentences) -> None:
    gold = [[a for a, _ in sentence] for sentence in sentences]
    guess = [[b for _, b in sentence] for sentence in sentences]
    for measure in entities.measures(gold, guess).values():
        assert 0.0 <= measure.score <= 1.0
    right = {name: measure.score for name, measure in entities.measures(gold, gold).items()}
    assert right["entity_f1"] == float(any(entities.entities(sentence) for sentence in gold))
    mirrored = entities.measures(guess, gold)
    assert mirrored["entity_f1"].score == pytest.approx(entities.measures(gold, guess)["entity_f1"].score)


def test_another_number_of_tags_is_refused() -> None:
    with pytest.raises(ValueError, match="sentence 0: 2 tags expected, 1 predicted"):
        entities.measures([["O", "O"]], [["O"]])


def test_the_same_predictions_tie_and_better_ones_do_not() -> None:
    gold = ["a", "b"] * 60
    good = classes.measures(gold, gold)["matthews"]
    constant = classes.measures(gold, ["a"] * 120)["matthews"]
    half = classes.measures(gold, ["a", "b"] * 30 + ["b", "a"] * 30)["matthews"]
    assert constant.ties_with(constant, 200)
    assert half.ties_with(constant, 200)
    assert not good.ties_with(constant, 200)
    assert not constant.ties_with(good, 200)


def test_an_interval_holds_the_score_and_is_the_same_every_time() -> None:
    measure = measures.mean([0.0, 1.0, 0.5, 1.0] * 30)
    low, high = measure.interval(500)
    assert (low, high) == measure.interval(500)
    assert low < measure.score == 0.625 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.4146 / 120**0.5, rel=0.15)


def test_a_list_too_long_to_resample_at_once_is_resampled_in_blocks(monkeypatch) -> None:
    from firth.tasks import bootstrap

    measure = measures.mean([0.0, 1.0, 1.0] * 40)
    whole = measure.interval(300)
    monkeypatch.setattr(bootstrap, "BLOCK_VALUES", 1000)
    assert measure.interval(300) == whole
