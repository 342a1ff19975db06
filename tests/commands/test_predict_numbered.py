"""`firth predict --format swag` and `glue/…`: official rows in, numbered predictions out that `firth score` takes."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from one_thread import one_thread  # noqa: F401
from predict_calls import lines, predict
from typer.testing import CliRunner
from usage_examples import SHORT, draw, examples_of, trained

from firth.cli import app
from firth.errors import FirthError
from firth.tasks.official.swag import HEADER

YES = {"yes": "1", "no": "0"}
LONGER = SHORT.model_copy(update={"epochs": 5})


def binary(folder: Path, kind: str, one: str) -> Path:
    """A kept model with GLUE's labels: 1 where the drawn label is `one`, else 0."""
    drawn = [example | {"label": "01"[example["label"] == one]} for example in draw(kind, 300, 1)]
    examples = examples_of(folder / "examples", kind, drawn[:270], drawn[270:])
    return trained(folder / "made", kind, examples, seeds=[1], finetuning=LONGER)[1]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of pairs."""
    return binary(tmp_path_factory.mktemp("pairs"), "pair", "yes")


def swag_file(path: Path, rows: list[dict[str, Any]], left_out: str = "nothing", first: int = 40) -> None:
    """The endings are what follows "it was": that is their common start; rows are numbered downwards from the last."""
    header = [name for name in HEADER if name != left_out]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for number, one in enumerate(rows):
            said = {f"ending{n}": ending.removeprefix("it was ") for n, ending in enumerate(one["endings"])}
            own = {"": first + len(rows) - number, "sent1": one["context"], "sent2": "it was", "label": one["label"]}
            writer.writerow([({"video-id": "v"} | own | said).get(name, "") for name in header])


def score(task: str, gold: str, *more: str) -> dict[str, Any]:
    command = ["score", task, "--gold", gold, "--pred", "out.tsv", "--json", "scores.json", *more]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    return json.loads(Path("scores.json").read_text())


def test_swags_endings_follow_their_common_start(models: Path, place: Path) -> None:
    dev = draw("choice", 30, 2)
    told = [answer["predicted"] for answer in lines(models / "choice.expected")]
    expected = [f"{70 - number}\t{answer}" for number, answer in enumerate(told)]
    swag_file(place / "val.csv", dev)
    swag_file(place / "test.csv", dev, left_out="label")
    for name in ("val.csv", "test.csv"):
        said = predict("-m", models / "choice", "-i", name, "-o", "out.tsv", "--format", "swag", "--batch", 7)
        assert said.stdout == "out.tsv: 30 rows\n"
        assert (place / "out.tsv").read_text().splitlines() == ["index\tprediction", *expected]
    right = sum(one["label"] == guess for one, guess in zip(dev, told, strict=True))
    scored = score("swag", "val.csv")
    assert scored["counts"]["right"] == right
    assert "joined by index" in scored["notes"]


def test_rows_of_glues_sets(models: Path, pairs: Path, place: Path) -> None:
    """Train, dev and test files, packed ones, with their own numbers or without any."""
    rows = draw("pair", 20, 2)
    for one in rows:
        one["label"] = YES[one["label"]]
    dev = ["index\tsentence1\tsentence2\tlabel", *(f"{7 * n}\t{r['first']}\t{r['second']}\t{r['label']}"
                                                    for n, r in enumerate(rows))]  # fmt: skip
    (place / "dev.tsv").write_text("\n".join(dev) + "\n")
    without = "\n".join(line.rpartition("\t")[0] for line in dev) + "\n"
    (place / "test.tsv.gz").write_bytes(gzip.compress(without.encode()))
    plain = ["Quality\t#1 String\t#2 String", *(f"{r['label']}\t{r['first']}\t{r['second']}" for r in rows)]
    (place / "mrpc.tsv").write_text("\n".join(plain) + "\n")
    written = {}
    for name, form in (("dev.tsv", "glue/wnli"), ("test.tsv.gz", "glue/WNLI"), ("mrpc.tsv", "glue/mrpc")):
        predict("-m", pairs, "-i", name, "-o", "out.tsv", "--format", form)
        written[name] = (place / "out.tsv").read_text().splitlines()
    assert written["dev.tsv"] == written["test.tsv.gz"]
    answers = [line.split("\t")[1] for line in written["dev.tsv"]]
    assert written["dev.tsv"] == ["index\tprediction", *(f"{7 * n}\t{a}" for n, a in enumerate(answers[1:]))]
    assert written["mrpc.tsv"] == ["index\tprediction", *(f"{n}\t{a}" for n, a in enumerate(answers[1:]))]
    predict("-m", pairs, "-i", "dev.tsv", "-o", "out.tsv", "--format", "glue/wnli")
    right = sum(one["label"] == answer for one, answer in zip(rows, answers[1:], strict=True))
    assert right > 10, "it has learned something"
    assert score("glue/wnli", "dev.tsv")["scores"]["accuracy"] == pytest.approx(100 * right / 20)
    predict("-m", models / "number", "-i", "test.tsv.gz", "-o", "out.tsv", "--format", "glue/sts-b")
    numbers = [float(line.split("\t")[1]) for line in (place / "out.tsv").read_text().splitlines()[1:]]
    assert len(set(numbers)) > 3
    assert all(0 <= number <= 5 for number in numbers)


def test_colas_sides_without_and_with_a_header(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = binary(tmp_path_factory.mktemp("cola"), "text", "fresh")
    rows = draw("text", 12, 2)
    (place / "dev.tsv").write_text("".join(f"x\t1\t\t{one['text']}\n" for one in rows))
    (place / "test.tsv").write_text("index\tsentence\n" + "".join(f"{n}\t{r['text']}\n" for n, r in enumerate(rows)))
    written = []
    for name in ("dev.tsv", "test.tsv"):
        assert predict("-m", kept, "-i", name, "-o", "out.tsv", "--format", "glue/cola").stdout == "out.tsv: 12 rows\n"
        written.append((place / "out.tsv").read_text())
    assert written[0] == written[1]
    assert {line.split("\t")[1] for line in written[0].splitlines()[1:]} == {"0", "1"}


def test_a_row_without_text_is_answered_all_the_same(models: Path, pairs: Path, place: Path) -> None:
    """QQP has such questions; scorers and the leaderboard want an answer for each row."""
    (place / "test.tsv").write_text("index\tsentence1\tsentence2\n0\tis the film warm\t\n1\t\t\n2\ta\tIt was dull.\n")
    said = predict("-m", pairs, "-i", "test.tsv", "-o", "out.tsv", "--format", "glue/wnli")
    assert "no answer" not in said.stderr
    assert [line.split("\t")[0] for line in (place / "out.tsv").read_text().splitlines()] == ["index", "0", "1", "2"]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("index\tsentence1\tsentence2\n", ["--format", "glue/wnli"], "in.tsv: holds no examples"),
        ("", ["--format", "glue/wnli"], "in.tsv: empty file"),
        ("index\tsentence1\n0\ta\n", ["--format", "glue/wnli"], "in.tsv, line 1: no column 'sentence2'; WNLI has"),
        ("index\tsentence1\tsentence2\n0\ta\n", ["--format", "glue/wnli"], "in.tsv, line 2: 2 fields between tabs"),
        ("index\tsentence1\tsentence2\n0\ta\tb\n0\ta\tb\n", ["--format", "glue/rte"], "a model for the labels 0, 1"),
        ("index\tsentence1\tsentence2\n0\ta\tb\n0\ta\tb\n", ["--format", "glue/wnli"], "0 stands in line 2, too"),
        ("index\tsentence\n0\ta\n", ["--format", "glue/cola"], "a file of CoLA is for a text model, and this one"),
        ("a\n", ["--format", "glue/mnli"], "--format glue/mnli: no such format; there are squad, conll, swag, glue"),
        ("a\n", ["--format", "glue/wnli", "--best", "2"], "--best is for records, and in.tsv is of format glue/wnli"),
        ("a\n", ["--format", "glue/wnli", "-o", "o.csv"], "o.csv: answers to a file of WNLI are written as index<TAB>"),
        (",sent1,sent2\n", ["--format", "swag"], "in.tsv: SWAG's CSV is for a choice model, and this one is for pair"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_answered(
    pairs: Path, place: Path, content: str, arguments: list[str], message: str
) -> None:
    (place / "in.tsv").write_text(content)
    before = {path.name for path in place.iterdir()}
    with pytest.raises(FirthError) as error:
        predict("-m", pairs, "-i", "in.tsv", "-o", "out.tsv", *arguments)
    assert message in str(error.value)
    assert {path.name for path in place.iterdir()} == before


@pytest.mark.parametrize("left_out", ["nothing", "label"])
def test_swags_file_taken_for_a_table_is_told_of_its_format(models: Path, place: Path, left_out: str) -> None:
    swag_file(place / "val.csv", draw("choice", 3, 2), left_out=left_out)
    with pytest.raises(FirthError, match=r"val\.csv, line 2: no field 'context'; .*\. Say --format swag$"):
        predict("-m", models / "choice", "-i", "val.csv", "-o", "out.tsv")


def test_glues_file_taken_for_a_table_is_told_of_its_formats(pairs: Path, place: Path) -> None:
    (place / "dev.tsv").write_text("index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n")
    with pytest.raises(FirthError, match=r"dev\.tsv, line 2: no field 'first'; .*Say --format glue/rte or glue/wnli$"):
        predict("-m", pairs, "-i", "dev.tsv", "-o", "out.tsv")
    (place / "mine.tsv").write_text("sentence1\tsentence2\na\tb\n")
    with pytest.raises(FirthError, match=r"mine\.tsv, line 2: .*Say --field first=COLUMN where it has another name$"):
        predict("-m", pairs, "-i", "mine.tsv", "-o", "out.tsv")


def test_a_file_that_is_not_swags(models: Path, place: Path) -> None:
    swag_file(place / "val.csv", draw("choice", 3, 2), left_out="sent2")
    with pytest.raises(FirthError, match=r"val\.csv, line 1: no column 'sent2'; SWAG has ,video-id,"):
        predict("-m", models / "choice", "-i", "val.csv", "-o", "out.tsv", "--format", "swag")
