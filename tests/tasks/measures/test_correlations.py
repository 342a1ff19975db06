"""Correlations against scipy, on all examples and on each resample; what holds for any numbers; what is not defined."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from firth.tasks.bootstrap import resampled_interval
from firth.tasks.measures.correlations import measures, ranks
from firth.tasks.measures.measures import BOOTSTRAP_SEED

TIED = st.integers(0, 10).map(lambda half: half / 2)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(st.one_of(TIED, NUMBERS), st.one_of(TIED, NUMBERS)), min_size=2, max_size=40)
NAMES = ("pearson", "spearman", "pearson_spearman")


def scipy_scores(first, second) -> dict[str, float]:
    """What scipy says, 0 where it says that nothing is defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        pearson, spearman = (
            float(np.nan_to_num(of(first, second).statistic)) for of in (stats.pearsonr, stats.spearmanr)
        )
    return {"pearson": pearson, "spearman": spearman, "pearson_spearman": (pearson + spearman) / 2}


def scores(first, second) -> dict[str, float]:
    return {name: found.score for name, found in measures(first, second).items()}


def of_copies(first, second, weights, name: str) -> np.ndarray:
    """What scipy says of each resample, its examples laid out as often as they are in it."""
    picked = [np.repeat(np.arange(len(first)), row.astype(int)) for row in weights]
    return np.array([scipy_scores(first[one], second[one])[name] for one in picked])


def some(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Judgements in steps of a fifth, with many ties, and what a system could have said of them."""
    chance = np.random.default_rng(seed)
    human = chance.integers(0, 26, count) / 5
    return human, np.round(human + chance.normal(size=count), 1)


@given(PAIRS)
def test_the_same_as_scipy(pairs) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    assume(all(len(set(side)) == 1 or np.ptp(side) > 1e-4 for side in (first, second)))
    found = scores(first, second)
    for name, expected in scipy_scores(first, second).items():
        assert found[name] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("far", [0.0, 1e3, -1e9])
def test_numbers_far_from_zero_lose_no_digits(far: float) -> None:
    first, second = some(1500)
    near = scores(first, second)
    assert scores(first + far, second * 3 - far) == pytest.approx(near, abs=1e-6 if far < -1e6 else 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_each_resample_is_scored_as_scipy_scores_its_examples(name: str) -> None:
    first, second = some(30)
    measure = measures(first, second)[name]
    weights = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), size=200).astype(float)
    np.testing.assert_allclose(measure.under(weights), of_copies(first, second, weights, name), atol=1e-12)


@given(st.lists(st.tuples(TIED, st.integers(0, 3)), min_size=1, max_size=25))
def test_ranks_are_those_of_the_copies_laid_side_by_side(drawn) -> None:
    values, times = np.array([value for value, _ in drawn]), np.array([count for _, count in drawn])
    copies = np.repeat(np.arange(len(values)), times)
    found = ranks(values, times[None].astype(float))[0]
    np.testing.assert_array_equal(found[copies], stats.rankdata(values[copies]))


def test_an_interval_is_that_of_scipys_scores_of_the_resamples() -> None:
    first, second = some(60)
    measure = measures(first, second)["pearson_spearman"]
    expected = resampled_interval(
        lambda weights: of_copies(first, second, weights, "pearson_spearman"), 60, 300, BOOTSTRAP_SEED
    )
    assert tuple(measure.interval(300)) == pytest.approx(tuple(expected), abs=1e-12)
    low, high = measure.interval(1000)
    assert low < measure.score < high


def test_blocks_change_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    from firth.tasks import bootstrap

    measure = measures(*some(50))["pearson_spearman"]
    whole = measure.interval(300)
    monkeypatch.setattr(bootstrap, "BLOCK_VALUES", 1000)
    assert measure.interval(300) == pytest.approx(whole, abs=1e-12)


@given(PAIRS, st.randoms(use_true_random=False))
def test_what_a_correlation_does_not_ask_for_changes_it_not(pairs, chance) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    assume(all(len(set(side)) == 1 or np.ptp(side) > 1e-2 for side in (first, second)))
    found = scores(first, second)
    assert all(-1.0 <= value <= 1.0 for value in found.values())
    assert scores(second, first) == pytest.approx(found, abs=1e-9)
    order = list(range(len(first)))
    chance.shuffle(order)
    assert scores(first[order], second[order]) == pytest.approx(found, abs=1e-9)
    assert scores([*first, *first], [*second, *second]) == pytest.approx(found, abs=1e-9)
    assert scores(first, -2.0 * second) == pytest.approx({name: -value for name, value in found.items()}, abs=1e-9)


def test_what_each_example_adds_has_the_score_as_its_mean() -> None:
    for measure in measures(*some(70)).values():
        assert np.mean(measure.each()) == pytest.approx(measure.score, abs=1e-12)
    assert measures([1.0, 2.0], [3.0, 3.0])["pearson"].each() == [0.0, 0.0]


@pytest.mark.parametrize("constant", [0.1, 2.5, -7e8, 1e-300])
@pytest.mark.parametrize("name", NAMES)
def test_a_constant_has_the_correlation_0(name: str, constant: float) -> None:
    first, _ = some(77)
    for pair in ((first, [constant] * 77), ([constant] * 77, first)):
        measure = measures(*pair)[name]
        assert (measure.score, tuple(measure.interval(200))) == (0.0, (0.0, 0.0))
    assert measures([1.0], [2.0])[name].score == 0.0


def test_a_resample_of_one_number_only_counts_as_0() -> None:
    first, second = [0.1] * 5 + [0.7], [0.3, 0.1, 0.4, 0.1, 0.5, 0.9]
    found = measures(first, second)["pearson"].under(np.array([[2.0, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]))
    assert found[0] == 0.0
    assert found[1] == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_is_no_correlation(name: str) -> None:
    """Of copies of one number on both sides what is left after centring is rounding, in step on both."""
    measure = measures([0.1] * 12 + [0.7], [0.3] * 12 + [-2.9])[name]
    weights = np.random.default_rng(1).multinomial(13, [1 / 12] * 12 + [0], size=300).astype(float)
    assert not measure.under(weights).any()


def test_better_predictions_do_not_tie() -> None:
    first, second = some(200)
    good = measures(first, second)["pearson_spearman"]
    guess = measures(first, np.random.default_rng(5).normal(size=200))["pearson_spearman"]
    assert good.ties_with(good, 200)
    assert guess.ties_with(measures(first, [1.0] * 200)["pearson_spearman"], 200)
    assert not good.ties_with(guess, 200)
    assert not guess.ties_with(good, 200)


def test_another_number_of_predictions_is_refused() -> None:
    with pytest.raises(ValueError, match="2 numbers expected, 1 predicted"):
        measures([1.0, 2.0], [1.0])
