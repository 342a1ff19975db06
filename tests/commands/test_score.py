"""`firth score`: tables for people, all numbers as JSON, one line where something is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from firth.cli import app
from firth.errors import FirthError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of several sets, and no project."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "RTE/dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\ta\tb\tnot_entailment\n",
        "MRPC/dev.tsv": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t5\t6\ta\tb\n1\t5\t7\ta\tb\n0\t8\t9\ta\tb\n",
        "pred/RTE.tsv": "index\tprediction\n0\tentailment\n1\tentailment\n",
        "pred/MRPC.tsv": "index\tprediction\n0\t1\n1\t0\n2\t0\n",
        "gold.json": '{"data": [{"paragraphs": [{"qas": [{"id": "q", "answers": [{"text": "the Nile"}]}]}]}]}',
        "pred.json": '{"q": "Blue Nile"}',
        "tags.txt": "-DOCSTART- -X- O O O\n\nEve NNP x B-PER I-PER\nran VBD x O B-LOC\n",
        "swag.csv": ",ending0,ending1,ending2,ending3,label\n0,a,b,c,d,3\n1,a,b,c,d,2\n",
        "swag.tsv": "index\tprediction\n1\t2\n0\t2\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["score", *arguments], env={"COLUMNS": "160"})


def said(*arguments: str) -> str:
    """The one line of an error."""
    result = run(*arguments)
    assert isinstance(result.exception, FirthError), (result.exception, result.output)
    assert "\n" not in str(result.exception)
    return str(result.exception)


def rows(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.output.splitlines()]


def test_a_glue_task(folder: Path) -> None:
    result = run(
        "glue/MRPC", "--gold", "MRPC/dev.tsv", "--pred", "pred/MRPC.tsv", "--json", "s.json", "--each", "e.jsonl"
    )
    assert ["accuracy", "66.67"] in rows(result)
    assert "MRPC dev: 3 of 408 (subset)" in result.output
    written = json.loads((folder / "s.json").read_text())
    assert written["scores"]["f1"] == pytest.approx(200 / 3, abs=1e-12)
    assert written["files"]["pred"] == {
        "file": "pred/MRPC.tsv",
        "sha256": hashlib.sha256((folder / "pred/MRPC.tsv").read_bytes()).hexdigest(),
    }
    assert [json.loads(line)["predicted"] for line in (folder / "e.jsonl").read_text().splitlines()] == ["1", "0", "0"]


def test_squad(folder: Path) -> None:
    result = run("squad", "--gold", "gold.json", "--pred", "pred.json", "--json", "s.json", "--each", "e.jsonl")
    assert [row for row in rows(result) if row[0] in ("exact", "f1")] == [["exact", "match", "0.00"], ["f1", "66.67"]]
    assert json.loads((folder / "s.json").read_text())["counts"] == {"questions": 1, "unanswered": 0, "unknown": 0}
    assert json.loads((folder / "e.jsonl").read_text())["id"] == "q"


def test_conll(folder: Path) -> None:
    result = run("conll2003", "--pred", "tags.txt", "--json", "s.json")
    assert ["PER", "100.00", "100.00", "100.00", "1", "1", "1"] in rows(result)
    assert ["all", "50.00", "100.00", "66.67", "1", "2", "1"] in rows(result)
    assert "accuracy of tags 33.33" in result.output
    written = json.loads((folder / "s.json").read_text())
    assert written["files"]["gold"] is None
    assert written["types"]["LOC"]["found"] == 1
    again = run("conll2003", "--pred", "tags.txt", "--gold", "tags.txt")
    assert ["LOC", "100.00", "100.00", "100.00", "1", "1", "1"] in rows(again)


def test_swag(folder: Path) -> None:
    assert ["accuracy", "50.00"] in rows(run("swag", "--gold", "swag.csv", "--pred", "swag.tsv"))


@pytest.mark.parametrize(("side", "count"), [("matched", "9,815"), ("mismatched", "9,832")])
def test_mnli_is_the_set_that_gold_is_of(folder: Path, side: str, count: str) -> None:
    (folder / f"dev_{side}.tsv").write_text("index\tsentence1\tsentence2\tgold_label\n0\ta\tb\tentailment\n")
    (folder / "mnli.tsv").write_text("index\tprediction\n0\tentailment\n")
    result = run("glue/MNLI", "--gold", f"dev_{side}.tsv", "--pred", "mnli.tsv")
    assert ["accuracy", "100.00"] in rows(result)
    assert f"MNLI-{'m' if side == 'matched' else 'mm'} dev: 1 of {count} (subset)" in result.output


def test_all_of_glue(folder: Path) -> None:
    result = run("glue", "--gold", ".", "--pred", "pred", "--json", "s.json", "--each", "e.jsonl")
    assert ["rte", "50.00", "accuracy", "50.00"] in rows(result)
    assert ["mrpc", "66.67", "accuracy", "66.67,", "f1", "66.67"] in rows(result)
    assert "GLUE's average needs all nine tasks" in result.output
    written = json.loads((folder / "s.json").read_text())
    assert set(written["tasks"]) == {"mrpc", "rte"}
    assert written["tasks"]["rte"]["files"]["gold"]["file"] == "RTE/dev.tsv"
    assert len((folder / "e.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("glue/mmlu", "--gold", "RTE/dev.tsv", "--pred", "pred/RTE.tsv"), "glue/mmlu: no such scorer; there are"),
        (("glue/mnli", "--gold", "RTE/dev.tsv", "--pred", "pred/RTE.tsv"), "say glue/mnli-m or glue/mnli-mm"),
        (("squad", "--pred", "pred.json"), "score squad: say with --gold where the right answers are"),
        (("glue", "--gold", "RTE/dev.tsv", "--pred", "pred"), "RTE/dev.tsv: glue takes folders; for one file say "),
        (("glue/rte", "--gold", "RTE/dev.tsv", "--pred", "nowhere.tsv"), "nowhere.tsv: no such file"),
        (("glue/rte", "--gold", "pred/RTE.tsv", "--pred", "RTE/dev.tsv"), "are gold and predictions swapped?"),
        (("squad", "--gold", "pred.json", "--pred", "gold.json"), "are gold and predictions swapped?"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_one_line_where_something_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    assert message in said(*arguments)
