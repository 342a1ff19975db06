"""The table of encoders on official sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.pretraining import write
from bench.tasks import SETS, examples_of, parser_of, renamed, settings_of, train_sizes
from bench.tasks_table import cell, read, rows_of, table

from firth.errors import DataError, FirthError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.sources import Source

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
    def said(**changes: object) -> str:
        (record,) = rows_of("glue/rte", {**RTE, "systems": [{**SYSTEM, **changes}]})
        return cell(record)

    assert said() == "80.0 ± 1.0 (1 collapsed)"
    runs = [*SYSTEM["runs"], {"collapsed": False, "diverged_at": 3}]  # type: ignore[misc]
    assert said(runs=runs) == "80.0 ± 1.0 (1 collapsed, 1 diverged)"
    assert said(seeds=[0.8], runs=[], tie_with_majority=True) == "80.0 ≈"


def test_rows_are_systems_and_columns_sets_with_how_much_of_them_was_there(tmp_path: Path) -> None:
    rte, squad = rows_of("glue/rte", RTE), rows_of("squad", OTHER)
    lines = table([*rte, *squad]).split("\n")
    assert lines[0] == "| | seeds | RTE (500 of 2,490 / 277) | SQuAD 1.1 (500 of 87,599 / 277 of 10,570) |"
    assert lines[3] == "| without an encoder | | 50.0 | 50.0 |"
    assert lines[4:] == [
        "| BERT, fine-tuned | 3 | 80.0 ± 1.0 (1 collapsed) | – |",
        "| X | 1 | – | 80.0 (1 collapsed) |",
    ]
    (row,) = rte
    assert (row["case"], row["ours"], row["ratio"]) == ("RTE (500 of 2,490 / 277): BERT, fine-tuned", 0.8, 1.6)
    assert row["runs"] == [[0.79, 0.5], [0.8, 0.5], [0.81, 0.5]]


def test_records_of_several_calls_make_one_table(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    write(rows_of("glue/rte", RTE), first)
    again = {**SYSTEM, "score": 0.9, "seeds": [0.9], "runs": [{"collapsed": False}]}
    write([*rows_of("glue/rte", {**RTE, "systems": [again]}), *rows_of("squad", OTHER)], second)
    lines = table(read([first, second])).split("\n")
    assert lines[4:] == ["| BERT, fine-tuned | 1 | 90.0 | – |", "| X | 1 | – | 80.0 (1 collapsed) |"]
    first.write_text("{")
    with pytest.raises(DataError, match=r"first\.json: no records of bench\.tasks"):
        read([first])


def test_encoders_go_by_other_names() -> None:
    sources = {"bert": Source("BERT", BertEncoder), "random": Source("BERT, untrained", BertEncoder)}  # type: ignore[arg-type]
    assert [one.label for one in renamed(sources, {"bert": "An hour"}).values()] == ["An hour", "BERT, untrained"]
    with pytest.raises(FirthError, match="--label brt: not among --encoders bert,random"):
        renamed(sources, {"brt": "An hour"})


def test_what_is_asked_for_is_what_is_trained_with() -> None:
    asked = ["--precision", "bf16", "--seeds", "2", "--learning-rate", "0.0005", "--epochs", "4", "--threads", "1"]
    settings = settings_of(parser_of().parse_args([*asked, "--encoders", "skipgram,reference", "--heads", "bilstm"]))
    assert (settings.precision, settings.seeds, settings.threads) == ("bf16", [1, 2], 1)
    assert (settings.finetuning.learning_rate, settings.finetuning.epochs) == (0.0005, 4)
    assert (settings.encoders, settings.modes, settings.heads) == (
        ["skipgram", "reference"],
        ["finetuned", "frozen"],
        ["bilstm"],
    )
    assert settings.reference is not None
    assert settings_of(parser_of().parse_args([])).precision == "fp32"


def test_without_sizes_they_are_those_of_the_page() -> None:
    def sizes(*asked: str) -> dict[str, int]:
        return train_sizes(parser_of().parse_args(asked))

    assert list(sizes()) == list(SETS)
    assert (sizes()["glue/cola"], sizes()["glue/rte"], sizes()["squad"]) == (2500, 500, 1000)
    assert set(sizes("--train-examples", "64").values()) == {64}
    assert sizes("--sets", "glue/rte,squad", "--train-examples", "64", "--subset", "squad=9") == {
        "glue/rte": 64,
        "squad": 9,
    }
    with pytest.raises(FirthError, match="--subset glue/mrpc: not among --sets squad"):
        sizes("--sets", "squad", "--subset", "glue/mrpc=9")


@pytest.mark.parametrize("below", ["", "glue"])
def test_a_set_is_found_in_the_data_folder(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below / "RTE"
    folder.mkdir(parents=True)
    for side, count in (("train", 6), ("dev", 4)):
        rows = [f"{n}\tA {side} {n}.\tB.\t{('entailment', 'not_entailment')[n % 2]}" for n in range(count)]
        (folder / f"{side}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *rows]) + "\n")
    found = examples_of("glue/rte", tmp_path, most=5)
    assert (len(found.train), len(found.dev)) == (5, 4), "scored on the whole dev side"
    fewer = examples_of("glue/rte", tmp_path, most=5, most_dev=3)
    assert (len(fewer.train), len(fewer.dev)) == (5, 3)
    assert json.dumps(found.manifest["published"]) == '"rte"'
