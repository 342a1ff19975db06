"""Models of word vectors, of frozen encoders and of BiLSTMs that are kept answer as they did when they were scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import flip
from usage_examples import draw, examples_of, sixty_and_thirty, trained, vectors

from firth.config.usages import BiLSTM, Evaluation, Head
from firth.errors import DataError, FirthError, IntegrityError
from firth.tasks.encoders.sources import from_folder
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.score import Scored, score_task
from firth.tasks.examples.files import Examples
from firth.tasks.kept import keeping
from firth.tasks.kept.folder import TASK, Kept, load
from firth.tasks.kept.folder import save as write
from firth.tasks.kept.forms import FINETUNED, FORMS, Form
from firth.tasks.kept.predicting import predict, record
from firth.tasks.learning.models import Model
from firth.vectors.vectors import Vectors

KINDS = ["text", "pair", "number", "choice", "tagging", "span"]
NEW = [form for form in FORMS if form != FINETUNED]
UNSEEN: dict[str, list[dict[str, Any]]] = {
    "text": [{"text": "Igor saw zzz in Quito"}, {"text": "zzz"}, {"text": "?!"}],
    "pair": [{"first": "zzz", "second": "the cast"}, {"first": "?", "second": "zzz Osaka"}],
    "number": [{"first": "zzz", "second": "the cast"}, {"first": "?", "second": "zzz Osaka"}],
    "choice": [{"context": "zzz", "endings": ["Osaka", "?", "zzz", "a camera", "it was warm ."]}],
    "tagging": [{"tokens": ["zzz", "?", "Quito", "who"]}, {"tokens": ["zzz"] * 40}],
    "span": [{"context": "zzz saw Quito", "question": "zzz"}, {"context": "?!", "question": "where"}],
}
"""Records with words that no training has seen, or that have no vector, or with none at all."""


def made(folder: Path, kind: str, form: Form, drawn: Examples | None = None, **settings: Any) -> tuple[Scored, Path]:
    small = {"bilstm": BiLSTM(hidden=8, epochs=2), "head": Head(epochs=5), "seeds": [1]}
    words, modes, heads = form.encoder == "vectors", [form.mode], [form.head]
    return trained(folder, kind, drawn, words, modes=modes, heads=heads, **{**small, **settings})


def name(form: Form) -> str:
    return "-".join(form)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """The models that are kept, as they are in memory."""
    models: list[Model] = []

    def save(folder: Path, form: Form, model: Model, said: Any) -> None:
        models.append(model)
        write(folder, form, model, said)

    monkeypatch.setattr(keeping, "save", save)
    return models


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        # Each form and each kind quickly, each form of each kind in the long run.
        pytest.param(form, kind, marks=() if turn == place else pytest.mark.slow, id=f"{name(form)}-{kind}")
        for turn, form in enumerate(NEW)
        for place, kind in enumerate(KINDS)
    ],
)
def test_what_is_kept_answers_as_it_was_scored(tmp_path: Path, form: Form, kind: str, written: list[Model]) -> None:
    scored, folder = made(tmp_path, kind, form)
    kept = load(folder)
    assert (kept.form, kept.kind) == (form, kind)
    answers = predict(kept, [record(kept, one) for one in draw(kind, 30, 2)])
    (predicted,) = scored.predictions.values()
    assert [answer["prediction"] for answer in answers] == [one["predicted"] for one in predicted]
    (row,) = scored.results["systems"]
    assert kept.said["score"] == {"metric": scored.results["metric"], "dev": row["score"]}
    assert kept.said["training"]["seed"] == 1
    assert str(tmp_path) not in (folder / TASK).read_text()

    (model,) = written
    records = [*draw(kind, 5, 3), *UNSEEN[kind]]
    read, again = (kept.usage.read(one, records) for one in (model.encoder, kept.encoder))
    outputs = model.logits(read)
    assert np.array_equal(outputs, kept.model.logits(again))
    assert np.isfinite(outputs).all()
    assert len(predict(kept, [record(kept, one) for one in records])) == len(records)


def test_the_median_of_seeds_is_kept(tmp_path: Path) -> None:
    form = Form("vectors", "finetuned", "linear")
    drawn = sixty_and_thirty(tmp_path, "number")
    settings = {"head": Head(epochs=2, learning_rate=0.05), "seeds": [1, 2, 3]}
    scored, folder = made(tmp_path, "number", form, drawn, **settings)
    (row,) = scored.results["systems"]
    said = load(folder).said
    assert len(set(row["seeds"])) == 3
    assert (said["training"]["seed"], said["score"]["dev"]) == (row["details"]["seed"], sorted(row["seeds"])[1])
    assert said["training"]["settings"]["vectors_learning_rate"] == 0.001
    assert said["training"]["epochs_done"] == 2


def test_layers_and_windows_are_remembered(tmp_path: Path) -> None:
    """The feature-based approach of the paper: a BiLSTM on the last four layers side by side, in windows."""
    long = [one | {"context": "the film was rather " * 12 + one["context"]} for one in draw("span", 40, 1)]
    long = [one | {"answers": [{"text": a["text"], "start": one["context"].index(a["text"])} for a in one["answers"]]}
            for one in long]  # fmt: skip
    drawn = examples_of(tmp_path / "e", "span", long[:30], long[30:], length=52, doc_stride=8, query_length=8)
    scored, folder = made(tmp_path, "span", Form("bert", "frozen", "bilstm"), drawn, layers="concat4")
    kept = load(folder)
    found = predict(kept, [record(kept, one) for one in long[30:]])
    assert [one["prediction"] for one in found] == [one["predicted"] for one in scored.predictions["toy-bilstm"]]
    assert kept.said["encoder"] == {"pooling": "mean", "layers": "concat4"}
    assert kept.said["head"] == {"width": 64 * 2, "form": "tokens", "hidden": 8, "layers": 2}


def test_tuned_vectors_are_vectors_to_go_on_from(tmp_path: Path) -> None:
    _, folder = made(tmp_path, "text", Form("vectors", "finetuned", "linear"), vectors_learning_rate=0.05)
    before, after = vectors(), Vectors.load(folder)
    assert after.vocabulary.words == before.vocabulary.words
    # Words that the training does not use stand as they stood, but for what all share: another origin and other units.
    unused, used = [before.vocabulary.ids[word] for word in ("Quito".lower(), "igor")], before.vocabulary.ids["warm"]
    scale = (before.matrix[unused[0]] - before.matrix[unused[1]]) / (after.matrix[unused[0]] - after.matrix[unused[1]])
    shift = before.matrix[unused[0]] - after.matrix[unused[0]] * scale
    assert not np.allclose(after.matrix[used] * scale + shift, before.matrix[used], atol=1e-2)
    third = before.vocabulary.ids["osaka"]
    np.testing.assert_allclose(after.matrix[third] * scale + shift, before.matrix[third], atol=1e-4)

    settings = Evaluation(modes=["frozen"], seeds=[1], threads=1)
    source = from_folder(folder, "after", settings)
    assert isinstance(source.load(), StaticEncoder)
    found = score_task(sixty_and_thirty(tmp_path / "next", "pair"), {"after": source}, settings)
    assert [system["system"] for system in found.results["systems"]] == ["after"]


@pytest.mark.parametrize("form", NEW, ids=name)
def test_altered_files_are_found(tmp_path: Path, form: Form) -> None:
    _, folder = made(tmp_path, "text", form)
    encoder = {
        "vectors": {"vectors.safetensors", "vocabulary.tsv"},
        "bert": {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"},
    }[form.encoder]
    assert {path.name for path in folder.iterdir()} == encoder | {"head.safetensors", TASK}
    for file in encoder | {"head.safetensors"}:
        before = (folder / file).read_bytes()
        flip(folder / file)
        with pytest.raises(IntegrityError, match=rf"{file}: not the bytes that task.json names"):
            load(folder)
        (folder / file).write_bytes(before[:-1])
        with pytest.raises(IntegrityError, match=rf"{file}: not the bytes that task.json names \(torn or altered\)"):
            load(folder)
        (folder / file).unlink()
        with pytest.raises(IntegrityError, match=rf"{file}: missing, but named in task.json"):
            load(folder)
        (folder / file).write_bytes(before)
    said = json.loads((folder / TASK).read_text())
    for file in ("head.safetensors", "vectors.safetensors" if form.encoder == "vectors" else "model.safetensors"):
        others = {known: digest for known, digest in said["files"].items() if known != file}
        (folder / TASK).write_text(json.dumps(said | {"files": others}))
        with pytest.raises(IntegrityError, match=rf"task.json: names no {file}"):
            load(folder)
    (folder / TASK).write_text(json.dumps(said))
    assert load(folder).form == form


@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        (Form("vectors", "finetuned", "linear"), {"format": "firth-task-9"}, "format is 'firth-task-9', not 'firth-ta"),
        (Form("vectors", "finetuned", "linear"), {"format": "firth-task"}, "not as Firth"),
        (Form("vectors", "finetuned", "linear"), {"form": {"encoder": "vectors"}}, "not as Firth"),
        (Form("vectors", "finetuned", "linear"), {"form": ["bert", "finetuned", "bilstm"]}, "not as Firth"),
        (
            Form("vectors", "finetuned", "linear"),
            {"form": {"encoder": "bert", "mode": "finetuned", "head": "bilstm"}},
            "not as Firth",
        ),
        (Form("vectors", "finetuned", "linear"), {"head": {"width": 48}}, r"weight is \(2, 24\), task.json makes it"),
        (Form("vectors", "finetuned", "linear"), {"head": {"width": "24"}}, "not as Firth"),
        (Form("vectors", "frozen", "linear"), {"head": {}}, "not as Firth"),
        (
            Form("vectors", "frozen", "bilstm"),
            {"head": {"width": 24, "form": "single", "hidden": 9, "layers": 2}},
            r"the head's lstm.forwards.0.weight_ih_l0 is \(32, 24\), task.json makes it \(36, 24\)",
        ),
        (
            Form("vectors", "frozen", "bilstm"),
            {"head": {"width": 24, "form": "double", "hidden": 8, "layers": 2}},
            "not as Firth",
        ),
        (Form("vectors", "frozen", "bilstm"), {"head": {"width": 24}}, "not as Firth"),
        (Form("bert", "frozen", "bilstm"), {"encoder": {"pooling": "mean", "layers": "all"}}, "not as Firth"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, form: Form, change: dict[str, Any], message: str) -> None:
    _, folder = made(tmp_path, "text", form)
    said = json.loads((folder / TASK).read_text())
    (folder / TASK).write_text(json.dumps(said | change))
    with pytest.raises(FirthError, match=message) as error:
        load(folder)
    assert isinstance(error.value, DataError | IntegrityError)
    assert str(folder) in str(error.value)


def test_folders_from_before_there_were_forms(tmp_path: Path) -> None:
    _, folder = trained(tmp_path, "text", seeds=[1])
    said = json.loads((folder / TASK).read_text())
    assert said["format"] == "firth-task"
    asked = [{"text": "The film is truly warm."}]
    before = predict(load(folder), asked)
    del said["form"]
    (folder / TASK).write_text(json.dumps(said))
    assert load(folder).form == FINETUNED
    assert predict(load(folder), asked) == before


def test_one_form_takes_the_place_of_another(tmp_path: Path) -> None:
    folders: list[Kept] = []
    for form in (Form("vectors", "finetuned", "bilstm"), FINETUNED, Form("vectors", "frozen", "linear")):
        _, folder = made(tmp_path, "text", form)
        folders.append(load(folder))
    assert [kept.encoder.width for kept in folders] == [24, 32, 24]
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["head.safetensors", TASK, "vectors.safetensors", "vocabulary.tsv"]
