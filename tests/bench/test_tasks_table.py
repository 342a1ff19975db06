"""The table of encoders on official sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.tasks import cell, examples_of, rows_of, table

SYSTEM = {
    "system": "bert-finetuned", "label": "BERT, fine-tuned", "score": 0.8, "seeds": [0.79, 0.8, 0.81],
    "tie_with_majority": False, "runs": [{"collapsed": False}, {"collapsed": True}, {"collapsed": False}],
}  # fmt: skip
RTE = {
    "title": "GLUE: RTE", "metric": "accuracy", "examples": {"train": 500, "dev": 277},
    "majority": {"score": 0.5}, "systems": [SYSTEM],
}  # fmt: skip
OTHER = {
    **RTE,
    "title": "SQuAD 1.1",
    "metric": "f1",
    "systems": [{**SYSTEM, "system": "x", "label": "X", "seeds": [0.1]}],
}


def test_a_cell_says_how_sure_it_is() -> None:
    assert cell(SYSTEM) == "80.0 ± 1.0 (1 collapsed)"
    runs = [*SYSTEM["runs"], {"collapsed": False, "diverged_at": 3}]  # type: ignore[misc]
    assert cell({**SYSTEM, "runs": runs}) == "80.0 ± 1.0 (1 collapsed, 1 diverged)"
    assert cell({**SYSTEM, "seeds": [0.8], "runs": [], "tie_with_majority": True}) == "80.0 ≈"


def test_rows_are_systems_and_columns_sets_with_how_much_of_them_was_there() -> None:
    lines = table({"glue/rte": RTE, "squad": OTHER}).split("\n")
    assert lines[0] == "| | RTE (500 of 2,490 / 277) | SQuAD 1.1 (500 of 87,599 / 277 of 10,570) |"
    assert lines[3] == "| majority | 50.0 | 50.0 |"
    assert lines[4:] == ["| BERT, fine-tuned | 80.0 ± 1.0 (1 collapsed) | – |", "| X | – | 80.0 (1 collapsed) |"]
    (row,) = rows_of({"glue/rte": RTE})
    assert (row["case"], row["ours"], row["ratio"]) == ("glue/rte, BERT, fine-tuned", 0.8, 1.6)
    assert row["runs"] == [[0.79, 0.5], [0.8, 0.5], [0.81, 0.5]]


@pytest.mark.parametrize("below", ["", "glue"])
def test_a_set_is_found_in_the_data_folder(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below / "RTE"
    folder.mkdir(parents=True)
    for side, count in (("train", 6), ("dev", 4)):
        rows = [f"{n}\tA {side} {n}.\tB.\t{('entailment', 'not_entailment')[n % 2]}" for n in range(count)]
        (folder / f"{side}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *rows]) + "\n")
    found = examples_of("glue/rte", tmp_path, most=5)
    assert (len(found.train), len(found.dev)) == (5, 4)
    assert json.dumps(found.manifest["published"]) == '"rte"'
