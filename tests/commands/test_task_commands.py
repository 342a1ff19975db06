"""`firth task` as a person meets it: their own files are read, shown, pinned, and may decide in the gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from firth.cli import app
from firth.config import load_params
from firth.config.load import preset_text
from firth.errors import ConfigError, DataError, FirthError

MAIL = "body,topic\n" + "".join(f'"Message {n}, hello",{"bill" if n % 3 else "crash"}\n' for n in range(90))
CONLL = "".join(f"Anna{n} B-PER\nsaw O\nRome I-LOC\n\n" for n in range(40))
QA = "".join(
    json.dumps({"context": f"Room {n} is red.", "question": "Which?", "answer": f"Room {n}"}) + "\n" for n in range(40)
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mail.csv").write_text(MAIL)
    (tmp_path / "own" / "names.conll").write_text(CONLL)
    (tmp_path / "own" / "rooms.ndjson").write_text(QA)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return tmp_path


def firth(*arguments: str) -> str:
    """What `firth task` prints; its errors are raised."""
    result = CliRunner().invoke(app, ["task", *arguments], catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def add_mail(*more: str) -> str:
    return firth(
        "add",
        "mail",
        "--task",
        "text",
        "--train",
        "own/mail.csv",
        "--text-field",
        "body",
        "--label-field",
        "topic",
        *more,
    )


def test_own_texts_are_read_shown_and_pinned(project: Path) -> None:
    path = project / "params.yaml"
    before = path.read_text()
    said = add_mail("--title", "Support mail", "--licence", "in-house")
    assert "train: " in said
    assert "bill " in said
    assert "  Message " in said
    assert "→ " in said
    assert "pinned as" in said
    task = load_params(path).tasks["mail"]
    assert (task.title, task.licence, task.metric, task.train.kind) == ("Support mail", "in-house", "accuracy", "files")
    assert task.train.path == "own/mail.csv"
    written = yaml.safe_load(path.read_text())
    # Every key but the empty ones is spelt out: DVC reads the file itself.
    assert set(type(task).model_fields) - set(written["tasks"]["mail"]) == {"dev", "group_field"}
    assert "# plot summaries are not reviews" in path.read_text()
    assert "mail  " in firth("list")
    assert "gate" not in said
    firth("remove", "mail")
    assert yaml.safe_load(path.read_text()) == yaml.safe_load(before)


def test_own_numbers_decide_where_it_is_asked_for(project: Path) -> None:
    path = project / "params.yaml"
    assert "the gate: bert ≥ 0.7, decisive" in add_mail("--gate", "0.7", "--decisive")
    policy = load_params(path).gate.bert
    assert (policy.decisive, policy.suites["mail"].minimum, policy.suites["mail"].max_loss) == ("mail", 0.7, 0.02)
    assert "mlm" in policy.suites
    assert "bert ≥ 0.7, decisive" in firth("list")
    with pytest.raises(FirthError, match=r"mail decides in the gate: set gate\.bert\.decisive .* such as mlm"):
        firth("remove", "mail")
    path.write_text(path.read_text().replace("decisive: mail", "decisive: mlm"))
    assert "without tasks.mail, gate.bert.suites.mail" in firth("remove", "mail")
    assert list(load_params(path).gate.bert.suites) == ["mlm"]


def test_other_kinds_and_a_dev_file(project: Path) -> None:
    (project / "own" / "dev.conll").write_text("Bo I-PER\nslept O\n")
    said = firth("add", "names", "--task", "tagging", "--train", "own/names.conll", "--dev", "own/dev.conll")
    assert "train: 40 of 40 examples: LOC 40, PER 40" in said
    assert "dev: 1 of 1 examples: PER 1" in said
    assert "/B-PER Rome/B-LOC" in said
    said = firth(
        "add", "rooms", "--task", "span", "--train", str(project / "own" / "rooms.ndjson"), "--metric", "exact"
    )
    assert "| Which? → Room" in said
    tasks = load_params(project / "params.yaml").tasks
    assert tasks["names"].dev is not None
    assert (tasks["rooms"].train.path, tasks["rooms"].format) == ("own/rooms.ndjson", "jsonl")


def test_changed_files_are_pinned_anew_after_they_were_read(project: Path) -> None:
    add_mail()
    assert "unchanged" in firth("pin", "mail")
    path = project / "params.yaml"
    before = path.read_text()
    (project / "own" / "mail.csv").write_text(MAIL + ",bill\n")
    with pytest.raises(DataError, match=r"mail\.csv, line 92: field 'body' is empty"):
        firth("pin", "mail")
    assert path.read_text() == before
    (project / "own" / "mail.csv").write_text(MAIL + "One more,bill\n")
    assert "own/mail.csv pinned as" in firth("pin", "mail")
    assert path.read_text() != before
    with pytest.raises(FirthError, match="boolq: not a task of local files; there are: mail"):
        firth("pin", "boolq")


def test_squad_with_windows_and_names_with_their_documents(project: Path) -> None:
    asked = [
        {"context": f"Room {n} is red.", "qas": [{"id": f"q{n}", "question": "Which?", "answers": [
            {"text": f"Room {n}", "answer_start": 0}]}]} for n in range(40)
    ]  # fmt: skip
    articles = [{"title": f"t{n}", "paragraphs": [one]} for n, one in enumerate(asked)]
    (project / "own" / "rooms.json").write_text(json.dumps({"version": "1.1", "data": articles}))
    assert "| Which? → Room" in firth("add", "rooms", "--task", "span", "--train", "own/rooms.json")
    firth("add", "short", "--task", "span", "--train", "own/rooms.json", "--length", "128", "--doc-stride", "50",
          "--query-length", "16")  # fmt: skip
    (project / "own" / "news.conll").write_text(CONLL.replace("Anna", "-DOCSTART- O\n\nAnna"))
    firth("add", "news", "--task", "tagging", "--train", "own/news.conll", "--document-context", "--pieces", "x")
    written = yaml.safe_load((project / "params.yaml").read_text())["tasks"]
    wanted = ("format", "length", "doc_stride", "query_length")
    assert [written["rooms"][key] for key in wanted] == ["squad", 384, 128, 64]
    assert [written["short"][key] for key in wanted] == ["squad", 128, 50, 16]
    assert (written["news"]["document_context"], written["news"]["pieces"]) == (True, "x")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "--task", "tree", "--train", "own/mail.csv"], "--task tree: there are text, pair, span, tagging"),
        (["a", "--task", "text", "--train", "own/no.csv"], r"own/no\.csv: no such file"),
        (["a", "--task", "text", "--train", "own"], "own: is a folder"),
        (["a", "--task", "text", "--train", "own/names.conll"], r"no format goes with the ending '\.conll'"),
        (["a", "--task", "text", "--train", "own/mail.csv"], r"no field 'text'; there are: body, topic"),
        (
            ["a", "--task", "pair", "--train", "own/mail.csv", "--text-field", "x"],
            "--text-field is for text tasks, not",
        ),
        (
            ["a", "--task", "span", "--train", "own/rooms.ndjson", "--doc-stride", "64"],
            r"tasks\.a.*windows have 61 pieces of the text and must share 29, .* 32 is the most",
        ),
        (
            ["a", "--task", "tagging", "--train", "own/names.conll", "--document-context"],
            "no line -DOCSTART- says where a document begins",
        ),
        (["a", "--task", "text", "--train", "own/mail.csv", "--pieces", "x"], "--pieces is for tagging tasks, not"),
        (["a", "--task", "tagging", "--train", "own/names.conll", "--labels", "x"], "--labels is for text and pair"),
        (
            ["a", "--task", "span", "--train", "own/rooms.ndjson", "--metric", "f2"],
            "firth task add: tasks.a.metric = 'f2'",
        ),
        (["a", "--task", "span", "--train", "own/rooms.ndjson", "--decisive"], "--decisive goes with --gate MINIMUM"),
        (["a", "--task", "span", "--train", "own/rooms.ndjson", "--dev", "own/mail.csv"], "both files have one format"),
        (["A.b", "--task", "span", "--train", "own/rooms.ndjson"], "a task's name has lower-case letters"),
        (["mlm", "--task", "span", "--train", "own/rooms.ndjson"], r"tasks\.mlm: the name is taken"),
        (["boolq", "--task", "span", "--train", "own/rooms.ndjson"], r"tasks\.boolq is there already"),
    ],
)
def test_what_cannot_be_added_is_named_and_leaves_the_parameters_alone(
    project: Path, arguments: list[str], said: str
) -> None:
    before = (project / "params.yaml").read_bytes()
    with pytest.raises((ConfigError, DataError, FirthError), match=said):
        firth("add", *arguments)
    assert (project / "params.yaml").read_bytes() == before


def test_the_last_task_stays(project: Path) -> None:
    for name in ("snippets", "boolq", "ner"):
        firth("remove", name)
    with pytest.raises(FirthError, match="disflqa is the only task: add another first"):
        firth("remove", "disflqa")
    with pytest.raises(FirthError, match="ner: not a task; there are: disflqa"):
        firth("remove", "ner")


def test_an_official_set_is_added_by_its_name(project: Path) -> None:
    folder = project / "GLUE" / "RTE"
    folder.mkdir(parents=True)
    for side, count in (("train", 8), ("dev", 4)):
        rows = [
            f"{n}\tIt {side} rains {n}.\tIt is wet {n}.\t{('entailment', 'not_entailment')[n % 2]}"
            for n in range(count)
        ]
        (folder / f"{side}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *rows]) + "\n")
    said = firth("add", "rte", "--official", "glue/rte", "--data", "GLUE", "--train-examples", "6", "--gate", "0.5")
    assert "train: 6 of 8 examples" in said
    assert "glue/rte: dev 4 of 277 (subset), train 8 of 2,490 (subset)" in said
    task = load_params(project / "params.yaml").tasks["rte"]
    assert (task.kind, task.format, task.published, task.title) == ("pair", "glue", "rte", "GLUE: RTE")
    assert (task.train_examples, task.dev_examples, task.keep_repeats) == (6, 1_000_000, True)
    assert task.train.kind == "files"
    assert task.train.path == "GLUE/RTE/train.tsv"


def test_swapped_files_and_repeats_of_an_official_set_are_seen(project: Path) -> None:
    folder = project / "RTE"
    folder.mkdir()
    labels = ("entailment", "not_entailment")
    lines = {
        count: "".join(f"{n}\tIt rains {n}.\tIt is wet {n}.\t{labels[n % 2]}\n" for n in range(count))
        for count in (5, 8, 277, 2490)
    }

    def write(train: int, dev: int) -> None:
        for side, count in (("train", train), ("dev", dev)):
            (folder / f"{side}.tsv").write_text("index\tsentence1\tsentence2\tlabel\n" + lines[count])

    before = (project / "params.yaml").read_text()
    write(277, 2490)
    with pytest.raises(DataError, match=r"RTE/train\.tsv as train has 277 .* RTE/dev\.tsv as dev 2,490; .* swapped\?"):
        firth("add", "rte", "--official", "glue/rte", "--data", "RTE")
    write(8, 8)
    with pytest.raises(DataError, match=r"RTE/dev\.tsv: .* the same bytes as RTE/train\.tsv"):
        firth("add", "rte", "--official", "glue/rte", "--data", "RTE")
    assert (project / "params.yaml").read_text() == before
    write(8, 5)
    said = firth("add", "rte", "--official", "glue/rte", "--data", "RTE")
    assert "5 of 5 dev examples stand on the train side, too, word for word" in said


def test_answers_that_no_context_holds_are_taken_where_that_is_said(project: Path) -> None:
    with (project / "own" / "rooms.ndjson").open("a") as stream:
        stream.write(json.dumps({"context": "Room is red.", "question": "Which?", "answer": "unknown"}) + "\n")
    with pytest.raises(DataError, match=r"rooms\.ndjson, line 41: field 'answer': the context does not hold 'unknown'"):
        firth("add", "rooms", "--task", "span", "--train", "own/rooms.ndjson")
    said = firth("add", "rooms", "--task", "span", "--train", "own/rooms.ndjson", "--absent-share", "0.05")
    assert "left out 1 — the answer does not occur in the context (such as unknown ← Which?)" in said
    assert load_params(project / "params.yaml").tasks["rooms"].absent_share == 0.05  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--official", "glue/rte"), "--official goes with --data FOLDER"),
        (("--official", "glue/rte", "--data", ".", "--task", "pair"), "it says itself what they are"),
        (("--official", "squad2", "--data", "."), "squad2: no official set; there are glue/cola"),
        (("--data", "."), "say --task KIND --train FILE, the same with --hub and splits"),
        (("--task", "text"), "say --task KIND --train FILE, the same with --hub and splits"),
        (("--official", "glue/rte", "--data", ".", "--hub", "a/b"), "--official goes with --data FOLDER"),
        (("--official", "glue/rte", "--hub", "a/b", "--subset", "rte"), "it says itself what they are"),
        (("--task", "text", "--train", "a.csv", "--subset", "rte"), "--subset is of a data set on the hub"),
        (
            ("--official", "glue/rte", "--data", ".", "--text-field", "a"),
            "--text-field is for text tasks, not for pair",
        ),
    ],
)
def test_an_official_set_says_itself_what_it_is(project: Path, arguments: tuple[str, ...], said: str) -> None:
    before = (project / "params.yaml").read_text()
    for side in ("train", "dev"):
        (project / f"{side}.tsv").write_text("")
    with pytest.raises(FirthError, match=said):
        firth("add", "rte", *arguments)
    assert (project / "params.yaml").read_text() == before


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set in the hub's place, with a train and a validation split."""
    import datasets
    import huggingface_hub

    class Found:
        sha = "c0ffee"

    def load_dataset(*_: object, split: str, **__: object) -> object:
        rows = [
            {"sentence1": f"{split} {n}", "sentence2": "so", "label": n % 2, "idx": n}
            for n in range(40 if split == "train" else 12)
        ]
        label = datasets.ClassLabel(names=["entailment", "not_entailment"])
        return datasets.Dataset.from_list(rows).cast_column("label", label).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: Found())


@pytest.mark.usefixtures("hub")
def test_an_official_set_of_the_hub_is_pinned_with_its_revision(project: Path) -> None:
    output = firth("add", "rte", "--official", "glue/rte", "--hub", "nyu-mll/glue")
    assert "dev: 12 of 12 examples: entailment 6, not_entailment 6" in output
    assert "train 40 of 2,490 (subset)" in output
    task = load_params(project / "params.yaml").tasks["rte"]
    assert (task.kind, task.format, task.published) == ("pair", "glue", "rte")
    assert task.dev is not None
    assert task.dev.kind == task.train.kind == "hub"
    assert (task.dev.split, task.dev.subset, task.dev.revision) == ("validation", "rte", "c0ffee")
    assert "hub: nyu-mll/glue (rte)" in firth("list")


@pytest.mark.usefixtures("hub")
def test_any_data_set_of_the_hub_by_its_splits_and_columns(project: Path) -> None:
    asked = ("--task", "pair", "--hub", "a/b@v1", "--first-field", "sentence1", "--second-field", "sentence2")
    firth("add", "own", *asked, "--train", "train", "--dev", "validation")
    task = load_params(project / "params.yaml").tasks["own"]
    assert (task.format, task.train.kind, task.train_examples) == ("jsonl", "hub", 1000)
    before = (project / "params.yaml").read_text()
    with pytest.raises(DataError, match=r"a/b, train.*no field 'text'; there are: sentence1"):
        firth("add", "other", "--task", "text", "--hub", "a/b", "--train", "train")
    assert (project / "params.yaml").read_text() == before
