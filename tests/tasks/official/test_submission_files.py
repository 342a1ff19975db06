"""The files that GLUE's leaderboard takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from firth.errors import DataError
from firth.tasks.official.glue import TASKS
from firth.tasks.official.predictions import read_predictions, write_predictions, write_submission


def test_label_words_and_numbers(tmp_path: Path) -> None:
    paths = write_submission(tmp_path, {"wnli": ["1", "0"] * 73, "sts-b": [5.3, -0.2, 2.5, *[1] * 1376]})
    assert [path.name for path in paths] == ["WNLI.tsv", "STS-B.tsv"]
    assert paths[0].read_text().startswith("index\tprediction\n0\t1\n1\t0\n2\t1\n")
    assert paths[1].read_text().splitlines()[:4] == ["index\tprediction", "0\t5.000000", "1\t0.000000", "2\t2.500000"]
    assert len(read_predictions(paths[1], ()).by_index) == 1379


@pytest.mark.parametrize("name", TASKS)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    given = list(task.labels) or ["0.500000", "4.250000"]
    write_predictions(tmp_path / task.file, task, given)
    assert list(read_predictions(tmp_path / task.file, task.labels).by_index.items()) == list(enumerate(given))


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        ({"snli": ["1"]}, "snli: no task of GLUE; there are cola, "),
        ({"wnli": ["1"]}, "WNLI: 1 predictions, the test file has 146 rows"),
        ({"wnli": ["1"] * 145 + ["yes"]}, "WNLI, prediction 145: column 'prediction': 'yes' is not one of 0, 1"),
        ({"sts-b": [float("nan")] * 1379}, "STS-B, prediction 0: column 'prediction': 'nan' is not a number"),
    ],
)
def test_what_the_leaderboard_would_refuse(predictions, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        write_submission(tmp_path, predictions)
    assert said in str(refused.value)
    assert not list(tmp_path.iterdir())
