"""GLUE's metrics beside scipy and sklearn, the averages beside published ones, and how predictions are joined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from firth.errors import DataError
from firth.tasks.official.glue import TASKS, averages
from firth.tasks.official.glue_scores import metrics, score_file, score_folder

HEADER = ["index", "sentence1", "sentence2", "label"]
BITS = st.lists(st.tuples(st.sampled_from("01"), st.sampled_from("01")), min_size=1, max_size=40)
SCORES = st.lists(st.tuples(st.floats(0, 5), st.floats(-1e6, 1e6)), min_size=3, max_size=40)

BERT_LARGE = {
    "cola": {"matthews": 60.5}, "sst-2": {"accuracy": 94.9}, "mrpc": {"f1": 89.3, "accuracy": 85.4},
    "sts-b": {"pearson": 87.6, "spearman": 86.5}, "qqp": {"f1": 72.1, "accuracy": 89.3}, "mnli-m": {"accuracy": 86.7},
    "mnli-mm": {"accuracy": 85.9}, "qnli": {"accuracy": 92.7}, "rte": {"accuracy": 70.1}, "wnli": {"accuracy": 65.1},
}  # fmt: skip
BERT_BASE = {
    "cola": {"matthews": 52.1}, "sst-2": {"accuracy": 93.5}, "mrpc": {"f1": 88.9, "accuracy": 84.8},
    "sts-b": {"pearson": 87.1, "spearman": 85.8}, "qqp": {"f1": 71.2, "accuracy": 89.2}, "mnli-m": {"accuracy": 84.6},
    "mnli-mm": {"accuracy": 83.4}, "qnli": {"accuracy": 90.5}, "rte": {"accuracy": 66.4}, "wnli": {"accuracy": 65.1},
}  # fmt: skip


@pytest.mark.parametrize(("scores", "board", "paper"), [(BERT_LARGE, 80.5, 82.1), (BERT_BASE, 78.3, 79.6)])
def test_averages_are_those_of_the_leaderboard_and_of_the_paper(scores, board: float, paper: float) -> None:
    found = averages(scores)
    assert round(found["average"], 1) == board
    assert round(found["average_of_the_bert_paper"], 1) == paper
    without = averages({name: part for name, part in scores.items() if name != "wnli"})
    assert "average" not in without
    assert without["average_without_wnli"] == found["average_without_wnli"]
    assert found["average"] == pytest.approx((8 * found["average_without_wnli"] + scores["wnli"]["accuracy"]) / 9)
    assert averages({"rte": scores["rte"]}) == {}


@given(BITS)
def test_labels_are_scored_as_sklearn_does(pairs) -> None:
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    gold, guess = [a for a, _ in pairs], [b for _, b in pairs]
    found, _ = metrics(TASKS["mrpc"], gold, guess)
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(gold, guess), abs=1e-12)
    assert found["f1"] == pytest.approx(100 * f1_score(gold, guess, pos_label="1", zero_division=0), abs=1e-12)
    if len({*gold, *guess}) > 1:
        found, _ = metrics(TASKS["cola"], gold, guess)
        assert found["matthews"] == pytest.approx(100 * matthews_corrcoef(gold, guess), abs=1e-9)


@given(SCORES)
@example([(0.0, 1.0), (0.0, 1e-270), (1.0, 0.0)])
def test_numbers_are_scored_as_scipy_does(pairs) -> None:
    gold, guess = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    assume(np.ptp(gold) > 1e-3 and np.ptp(guess) > 1e-3)
    found, notes = metrics(TASKS["sts-b"], [repr(float(x)) for x in gold], [repr(float(x)) for x in guess])
    assert not notes
    assert found["pearson"] == pytest.approx(100 * stats.pearsonr(gold, guess).statistic, abs=1e-8)
    assert found["spearman"] == pytest.approx(100 * stats.spearmanr(gold, guess).statistic, abs=1e-8)


def test_correlations_of_a_usual_file_to_the_last_digits() -> None:
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 26, 1500) / 5
    guess = gold + rng.normal(size=1500)
    found, _ = metrics(TASKS["sts-b"], [str(x) for x in gold], [repr(float(x)) for x in guess])
    assert found["pearson"] == pytest.approx(100 * stats.pearsonr(gold, guess).statistic, abs=1e-12)
    assert found["spearman"] == pytest.approx(100 * stats.spearmanr(gold, guess).statistic, abs=1e-12)
    # Neither the mean nor the scale of the predictions counts.
    for other in (guess * 1e200, guess + 2**20):
        again, _ = metrics(TASKS["sts-b"], [str(x) for x in gold], [repr(float(x)) for x in other])
        assert again["pearson"] == pytest.approx(found["pearson"], abs=1e-7)


def test_constant_predictions_are_marked() -> None:
    found, notes = metrics(TASKS["sts-b"], ["1", "2", "3"], ["2.5", "2.5", "2.5"])
    assert found == {"pearson": 0.0, "spearman": 0.0}
    assert "no correlation is defined" in notes[0]
    found, notes = metrics(TASKS["cola"], ["1", "0", "1"], ["1", "1", "1"])
    assert (found, notes) == ({"matthews": 0.0}, ["every prediction is '1'"])


def test_a_case_worked_by_hand(tsv, predicted) -> None:
    mrpc = ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
    gold = tsv("dev.tsv", mrpc, *([label, 1, 2, "a", "b"] for label in "1110100"))
    # Four of seven are right; of five called 1, three are, and one 1 is missed.
    result = score_file(TASKS["mrpc"], gold, predicted("1101110"))
    assert result.scores["accuracy"] == pytest.approx(400 / 7)
    assert result.scores["f1"] == pytest.approx(200 * 3 / (5 + 4))
    assert result.scores["score"] == pytest.approx((400 / 7 + 600 / 9) / 2)
    assert result.counts == {"examples": 7, "right": 4}
    assert result.notes == ["MRPC dev: 7 of 408 (subset)", "joined by row number"]
    assert result.each[2] == {"index": 2, "expected": "1", "predicted": "0"}


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_order_of_rows_changes_nothing(tmp_path_factory, gold_order, pred_order) -> None:
    folder = tmp_path_factory.mktemp("order")
    expected = ["entailment", "entailment", "not_entailment", "entailment", "not_entailment", "entailment"]
    guesses = ["entailment", "not_entailment", "not_entailment", "entailment", "entailment", "entailment"]
    gold, pred = folder / "dev.tsv", folder / "RTE.tsv"
    lines = ["\t".join(HEADER), *(f"{10 + n}\ta\tb\t{expected[n]}" for n in gold_order)]
    gold.write_text("\n".join(lines) + "\n")
    pred.write_text("\n".join(["index\tprediction", *(f"{10 + n}\t{guesses[n]}" for n in pred_order)]) + "\n")
    assert score_file(TASKS["rte"], gold, pred).scores["accuracy"] == pytest.approx(400 / 6)


def test_gold_indexes_count_before_row_numbers(tsv, predicted) -> None:
    gold = tsv("dev.tsv", HEADER, *([index, "a", "b", label] for index, label in ((1, "0"), (0, "1"), (2, "1"))))
    result = score_file(TASKS["wnli"], gold, predicted({0: "1", 1: "0", 2: "1"}))
    assert result.scores["accuracy"] == 100.0
    assert "joined by index" in result.notes
    gold = tsv("other.tsv", HEADER, *([index, "a", "b", label] for index, label in ((45, "0"), (46, "1"), (49, "1"))))
    assert score_file(TASKS["wnli"], gold, predicted({45: "0", 49: "1", 46: "1"})).scores["accuracy"] == 100.0
    by_row = score_file(TASKS["wnli"], gold, predicted("011"))
    assert by_row.scores["accuracy"] == 100.0
    assert "joined by row number" in by_row.notes


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["index", "prediction"]], "pred.tsv: holds no predictions"),
        ([["id", "label"], [0, "1"]], "line 1: expected the header index<TAB>prediction, found 'id\\tlabel'"),
        ([HEADER, [0, "a", "b", "1"]],
         "found the header of RTE, WNLI, train or dev; are gold and predictions swapped?"),
        ([["index", "prediction"], [0, "1", "2"]], "line 2: 3 fields, expected 2"),
        ([["index", "prediction"], ["0.0", "1"]], "line 2: column 'index': '0.0' is not a whole number"),
        ([["index", "prediction"], ["-1", "1"]], "line 2: column 'index': '-1' is not a whole number"),
        ([["index", "prediction"], ["²", "1"]], "'²' is not a whole number"),
        ([["index", "prediction"], [0, "1"], [0, "0"]], "line 3: column 'index': 0 stands in line 2, too"),
        ([["index", "prediction"], [0, "True"]], "line 2: column 'prediction': 'True' is not one of 0, 1"),
        ([["index", "prediction"], [0, "1"], [2, "1"]], "no prediction for index 1 of "),
        ([["index", "prediction"], [7, "1"]], "no prediction for indexes 0, 1, 2 of "),
        ([["index", "prediction"], *([n, "1"] for n in range(12))],
         "predictions for indexes 3, 4, 5, 6, 7 and 4 more, but "),
    ],
)  # fmt: skip
def test_wrong_predictions_are_named(rows, said: str, tsv) -> None:
    gold = tsv("dev.tsv", HEADER, *([index, "a", "b", "1"] for index in range(3)))
    with pytest.raises(DataError) as refused:
        score_file(TASKS["wnli"], gold, tsv("pred.tsv", *rows))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_number_is_asked_of_sts_b(tsv, predicted) -> None:
    gold = tsv("dev.tsv", ["sentence1", "sentence2", "score"], ["a", "b", "1"], ["a", "b", "2"])
    assert score_file(TASKS["sts-b"], gold, predicted(["-3", "1e1"])).scores["score"] == pytest.approx(100.0)
    for wrong in ("inf", "high", ""):
        with pytest.raises(DataError, match=r"line 3: column 'prediction': .* is not a number"):
            score_file(TASKS["sts-b"], gold, predicted(["1", wrong]))


def test_a_folder_of_predictions(tsv, predicted, tmp_path) -> None:
    tsv("gold/RTE/dev.tsv", HEADER, [0, "a", "b", "entailment"], [1, "a", "b", "not_entailment"])
    tsv("gold/CoLA/dev_subset.tsv", ["x", "1", "", "a"], ["x", "0", "*", "b"])
    predicted(["entailment", "entailment"], "pred/RTE.tsv")
    predicted("10", "pred/CoLA.tsv")
    found = score_folder(tmp_path / "gold", tmp_path / "pred")
    assert found.whole.scores == {"cola": 100.0, "rte": 50.0}
    assert "GLUE's average needs all nine tasks" in found.whole.notes
    tsv("gold/CoLA/dev_other.tsv", ["x", "1", "", "a"])
    with pytest.raises(DataError, match=r"expected CoLA/dev\.tsv.*found dev_other\.tsv, dev_subset\.tsv"):
        score_folder(tmp_path / "gold", tmp_path / "pred")
    with pytest.raises(DataError, match=r"no predictions; expected files such as CoLA\.tsv"):
        score_folder(tmp_path / "gold", tmp_path / "gold")
