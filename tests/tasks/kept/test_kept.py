"""Fine-tuned models that are kept answer as they did when they were scored, here and in `transformers`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damage import flip
from safetensors.numpy import load_file
from usage_examples import SHORT, draw, examples_of, sixty_and_thirty, trained

from firth.config.usages import Evaluation, Grid
from firth.errors import DataError, FirthError, IntegrityError
from firth.tasks.encoders.sources import from_folder
from firth.tasks.evaluation.score import score_task
from firth.tasks.kept.folder import Kept, check_free, load
from firth.tasks.kept.predicting import predict, record

KINDS = ["text", "pair", "number", "choice", "tagging", "span"]


def asked(kept: Kept, kind: str, count: int = 30, seed: int = 2) -> list[dict[str, Any]]:
    return [record(kept, one) for one in draw(kind, count, seed)]


def weights(folder: Path) -> np.ndarray:
    return load_file(folder / "model.safetensors")["encoder.layer.0.attention.self.query.weight"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_answers_as_it_was_scored(tmp_path: Path, kind: str) -> None:
    scored, folder = trained(tmp_path, kind)
    kept = load(folder)
    answers = predict(kept, asked(kept, kind))
    assert [answer["prediction"] for answer in answers] == [
        one["predicted"] for one in scored.predictions["toy-finetuned"]
    ]
    (row,) = scored.results["systems"]
    assert kept.said["score"] == {"metric": scored.results["metric"], "dev": row["score"]}
    assert kept.said["training"]["seed"] == row["details"]["seed"]
    assert kept.said["task"]["digests"] == scored.results["digests"]
    assert str(tmp_path) not in (folder / "task.json").read_text()


def test_windows_and_label_x_are_remembered(tmp_path: Path) -> None:
    long = [one | {"context": "the film was rather " * 12 + one["context"]} for one in draw("span", 40, 1)]
    long = [one | {"answers": [{"text": a["text"], "start": one["context"].index(a["text"])} for a in one["answers"]]}
            for one in long]  # fmt: skip
    drawn = examples_of(tmp_path / "e", "span", long[:30], long[30:], length=52, doc_stride=8, query_length=8)
    scored, folder = trained(tmp_path / "span", "span", drawn, seeds=[1])
    kept = load(folder)
    found = predict(kept, [record(kept, one) for one in long[30:]])
    assert [answer["prediction"] for answer in found] == [
        one["predicted"] for one in scored.predictions["toy-finetuned"]
    ]
    assert kept.said["usage"] == {"length": 52, "doc_stride": 8, "query_length": 8}

    words = [one | {"before": ["the", "film"], "after": ["in"]} for one in draw("tagging", 60, 1)]
    drawn = examples_of(tmp_path / "t", "tagging", words[:40], words[40:], document_context=True, pieces="x")
    scored, folder = trained(tmp_path / "tags", "tagging", drawn, seeds=[1])
    kept = load(folder)
    found = predict(kept, [record(kept, one) for one in words[40:]])
    assert [answer["prediction"] for answer in found] == [
        one["predicted"] for one in scored.predictions["toy-finetuned"]
    ]
    assert json.loads((folder / "config.json").read_text())["id2label"]["3"] == "X"


def test_the_chosen_epoch_and_the_best_of_a_grid_are_kept(tmp_path: Path) -> None:
    slow = SHORT.model_copy(
        update={"epochs": 3, "learning_rate": 1e-6}
    )  # no prediction changes: the first epoch is best
    stopping = slow.model_copy(update={"early_stopping": True})
    scored, folder = trained(tmp_path / "stop", "text", finetuning=stopping, seeds=[1])
    (row,) = scored.results["systems"]
    said = load(folder).said
    assert (said["training"]["epochs_done"], said["score"]["dev"]) == (1, row["score"])
    _, to_the_end = trained(tmp_path / "whole", "text", finetuning=slow, seeds=[1])
    assert not np.array_equal(weights(folder), weights(to_the_end))

    grid = Grid(batch=[8], learning_rate=[1e-5, 3e-3], epochs=[2])
    scored, folder = trained(tmp_path / "grid", "text", protocol="paper", grid=grid, seeds=[1])
    (row,) = scored.results["systems"]
    said = load(folder).said
    assert said["score"]["dev"] == row["score"]
    assert said["training"]["settings"]["learning_rate"] == row["details"]["learning_rate"]
    assert said["training"]["settings"]["batch"] == 8


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("span", "QuestionAnswering"), ("tagging", "TokenClassification")])
def test_transformers_has_the_same_outputs(tmp_path: Path, kind: str, name: str) -> None:
    _, folder = trained(tmp_path, kind, seeds=[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import transformers

    theirs, info = getattr(transformers, f"AutoModelFor{name}").from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert type(theirs).__name__ == load(folder).transformers_class
    kept = load(folder)
    records = asked(kept, kind, 4)
    reading = kept.usage.read(kept.encoder, records)
    ours = kept.model.logits(reading)
    for number, item in enumerate(reading.inputs):
        with torch.inference_mode():
            said = theirs(torch.tensor([item.ids]), token_type_ids=torch.tensor([item.segments]))
        logits = said.logits[0] if kind == "tagging" else torch.stack([said.start_logits, said.end_logits], -1)[0]
        own = ours[reading.starts[number] : reading.starts[number + 1]]
        np.testing.assert_allclose(logits[list(item.rows)].numpy(), own, atol=1e-5)


@pytest.mark.slow
def test_transformers_reads_the_encoder_of_labels(tmp_path: Path) -> None:
    _, folder = trained(tmp_path, "text", seeds=[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import transformers

    theirs = transformers.AutoModel.from_pretrained(folder)
    kept = load(folder)
    assert kept.transformers_class == type(theirs).__name__ == "BertModel"
    reading = kept.usage.read(kept.encoder, asked(kept, "text", 1))
    with torch.inference_mode():
        hidden = theirs(torch.tensor([reading.inputs[0].ids])).last_hidden_state[0].mean(dim=0)
    np.testing.assert_allclose(hidden.numpy(), kept.encoder.features(reading)[0], atol=1e-5)


def test_a_kept_encoder_is_a_bert_to_go_on_from(tmp_path: Path) -> None:
    """RTE from an MNLI checkpoint: the kept folder is a model like others."""
    _, folder = trained(tmp_path, "pair", seeds=[1])
    encoder = from_folder(folder, "kept", Evaluation()).load()
    kept = load(folder)
    reading = kept.usage.read(kept.encoder, asked(kept, "pair", 3))
    assert np.array_equal(encoder.features(reading), kept.encoder.features(reading))


def test_altered_files_are_found(tmp_path: Path) -> None:
    _, folder = trained(tmp_path, "text", seeds=[1])
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["config.json", "head.safetensors", "model.safetensors", "task.json", "tokenizer.json",
                     "tokenizer_config.json", "vocab.txt"]  # fmt: skip
    for name in set(names) - {"task.json"}:
        before = (folder / name).read_bytes()
        flip(folder / name)
        with pytest.raises(IntegrityError, match=rf"{name}: not the bytes that task.json names"):
            load(folder)
        (folder / name).unlink()
        with pytest.raises(IntegrityError, match=rf"{name}: missing, but named in task.json"):
            load(folder)
        (folder / name).write_bytes(before)
    said = json.loads((folder / "task.json").read_text())
    for change, message in (
        ({"format": "other"}, "format is 'other', not 'firth-task'"),
        ({"usage": {"length": 32}}, "not as Firth"),
        ({"usage": said["usage"] | {"labels": ["a", "b", "c"]}}, r"the head's weight is \(2, 32\), task.json makes it"),
    ):
        (folder / "task.json").write_text(json.dumps(said | change))
        with pytest.raises(FirthError, match=message):
            load(folder)
    with pytest.raises(DataError, match=r"not a kept model: it has no task\.json"):
        load(tmp_path / "bert")


def test_other_folders_are_not_written_over(tmp_path: Path) -> None:
    _, folder = trained(tmp_path, "text", seeds=[1])
    check_free(folder)
    check_free(tmp_path / "new")
    with pytest.raises(FirthError, match="is there already and is no kept model"):
        check_free(tmp_path / "bert")
    before = (folder / "model.safetensors").read_bytes()
    trained(tmp_path, "text", seeds=[2])
    assert (folder / "model.safetensors").read_bytes() != before


@pytest.mark.parametrize("kind", ["text", "choice", "span"])
def test_the_next_best_answers(tmp_path: Path, kind: str) -> None:
    _, folder = trained(tmp_path, kind, seeds=[1])
    kept = load(folder)
    records = asked(kept, kind, 5)
    plain = predict(kept, records)
    for answer, best in zip(plain, predict(kept, records, best=3), strict=True):
        assert "best" not in answer
        listed = best.pop("best")
        assert best == answer == listed[0]
        value = "score" if kind == "span" else "probability"
        values = [one[value] for one in listed]
        assert values == sorted(values, reverse=True)
        assert len(listed) == (2 if kind == "text" else 3)
        if kind == "text":
            assert sum(values) == pytest.approx(1, abs=2e-6)
    if kind == "span":
        for one, answer in zip(records, plain, strict=True):
            assert one["context"][answer["start"] : answer["end"]] == answer["prediction"] != ""


def test_records_without_text_and_other_records(tmp_path: Path) -> None:
    _, folder = trained(tmp_path, "tagging", seeds=[1])
    kept = load(folder)
    words = record(kept, {"tokens": "Igor left Leeds", "n": 3})
    assert words == {"tokens": ["Igor", "left", "Leeds"]}
    found = predict(kept, [record(kept, {"tokens": None}), words, record(kept, {"tokens": " "})])
    assert [len(answer["prediction"]) for answer in found] == [0, 3, 0]
    assert predict(kept, []) == []
    for values, message in (
        ({"words": []}, "f.jsonl, line 3: no field 'tokens'; there are: words"),
        ({"tokens": 3}, "field 'tokens' holds a number; expected a list of texts"),
        ({"tokens": ["a", 1]}, "holds a list that is not of texts"),
    ):
        with pytest.raises(DataError, match=message):
            record(kept, values, "f.jsonl", 3)
    _, folder = trained(tmp_path / "c", "choice", seeds=[1])
    chosen = load(folder)
    with pytest.raises(DataError, match="field 'endings' has 1 texts; 2 are the least"):
        record(chosen, {"context": "a", "endings": ["b"]})
    with pytest.raises(DataError, match="field 'context' holds a list, not text"):
        record(chosen, {"context": ["a"], "endings": ["b", "c"]})
    nothing = record(chosen, {"context": "", "endings": ["b", "c"]})
    assert predict(chosen, [nothing]) == [{"prediction": None, "probability": None}]


@pytest.mark.parametrize("kind", ["pair", "span"])
def test_another_task_begins_with_what_was_learned(tmp_path: Path, kind: str) -> None:
    """As RTE from a model of MNLI, or SQuAD after a further training set: the folder is a model like any other."""
    _, folder = trained(tmp_path, kind)
    settings = Evaluation(modes=["frozen"], seeds=[1], threads=1)
    sources = {
        name: from_folder(path, name, settings) for name, path in (("before", tmp_path / "bert"), ("after", folder))
    }
    encoders = {name: source.load() for name, source in sources.items()}
    learned = load(folder).encoder
    features = {
        name: encoder.features(encoder.texts(["the film was rather good"], 32))
        for name, encoder in {**encoders, "kept": learned}.items()
    }
    assert np.array_equal(features["after"], features["kept"])
    assert not np.allclose(features["after"], features["before"])
    found = score_task(sixty_and_thirty(tmp_path / "next", "text"), sources, settings)
    assert [system["system"] for system in found.results["systems"]] == ["before", "after"]
