"""The sides of the fine-tuning benchmark get the same examples, and SQuAD's features are the same on both."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.finetune import Ours, columns, examples_of, record, subset_of
from bench.trainer import PADDINGS, MeanOfTokens, Script, squad_features, tokenizer_of
from usage_examples import bert, draw
from usage_examples import examples_of as made_examples

from firth.bert.folder import save
from firth.config.usages import Finetuning
from firth.encode.interchange import write_hf
from firth.encode.load import load_model
from firth.errors import FirthError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.usages.answering import Answering


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("bert")
    save(where, bert())
    return where


def test_ratios_are_of_neighbouring_runs() -> None:
    found = record("case", "examples/s", [(10.0, 5.0), (30.0, 20.0), (20.0, 5.0)])
    assert (found["ours"], found["peer"], found["ratio"]) == (20.0, 5.0, 2.0)
    assert found["runs"] == [[10.0, 5.0], [30.0, 20.0], [20.0, 5.0]]
    nothing = record("case", "matthews", [(0.2, 0.1), (0.1, 0.0)])
    assert (nothing["ours"], nothing["ratio"]) == (0.2, None)


@pytest.mark.parametrize(("kind", "names"), [("text", ["text"]), ("pair", ["first", "second"])])
def test_the_peer_learns_the_classes_that_we_learn(tmp_path: Path, kind: str, names: list[str]) -> None:
    examples = made_examples(tmp_path, kind, draw(kind, 20, 1), draw(kind, 10, 2))
    ours = Ours(BertEncoder(bert()), examples, Finetuning(epochs=1), 1, time.perf_counter)
    train, dev = columns(examples.train, ours.usage), columns(examples.dev, ours.usage)
    assert list(train) == list(dev) == [*names, "label"]
    assert train["label"] == ours.targets.classes.tolist()
    right = np.eye(2, dtype=np.float32)[dev["label"]]
    assert ours.score(right) == 1.0
    assert ours.score(right[:, ::-1]) == 0.0
    run = ours.run(1)
    assert run.training > 0
    assert run.prediction > 0
    assert run.logits.shape == (10, 2)


def test_with_the_mean_of_tokens_both_sides_are_one_model(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = tmp_path / "model"
    write_hf(bert(), folder)

    examples = made_examples(tmp_path, "pair", draw("pair", 20, 1), draw("pair", 10, 2))
    ours = Ours(BertEncoder(load_model(folder)), examples, Finetuning(epochs=1), 1, time.perf_counter)
    theirs = MeanOfTokens(AutoModel.from_pretrained(folder, add_pooling_layer=False), 2).eval()
    tokenizer = tokenizer_of(folder)
    pairs = columns(examples.dev, ours.usage)
    batch = tokenizer(pairs["first"], pairs["second"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = theirs(labels=torch.tensor(pairs["label"]), **batch)["logits"].numpy()
    found = ours.encoder.features_of(ours.encoder.bert.model.encoder, ours.dev, theirs.classifier)
    np.testing.assert_allclose(found, logits, atol=1e-5)
    train = columns(examples.train, ours.usage)
    script = Script(folder, train, pairs, Finetuning(epochs=1), 64, PADDINGS[1], head="mean")
    assert script.run(1).logits.shape == (10, 2)


def test_the_peer_learns_the_numbers_that_we_learn(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_hf(bert(), folder)
    examples = made_examples(tmp_path, "number", draw("number", 20, 1), draw("number", 10, 2))
    ours = Ours(BertEncoder(load_model(folder)), examples, Finetuning(epochs=1), 1, time.perf_counter)
    train, dev = columns(examples.train, ours.usage), columns(examples.dev, ours.usage)
    np.testing.assert_allclose(train["label"], ours.targets.numbers, atol=1e-6)
    assert ours.metric == "pearson_spearman"
    assert ours.score(np.array(dev["label"], np.float32)[:, None]) == pytest.approx(1.0)
    for head in ("pooler", "mean"):
        script = Script(folder, train, dev, Finetuning(epochs=1), 64, PADDINGS[1], head=head)
        assert script.run(1).logits.shape == ours.run(1).logits.shape == (10, 1)


def test_spans_are_not_compared(tmp_path: Path) -> None:
    examples = made_examples(tmp_path, "span", draw("span", 20, 1), draw("span", 10, 2))
    with pytest.raises(FirthError, match="classes of texts and of pairs, and numbers, are compared here"):
        Ours(BertEncoder(bert()), examples, Finetuning(epochs=1), 1, time.perf_counter)


def test_features_of_question_answering_are_those_of_the_usual_recipe(tmp_path: Path, folder: Path) -> None:
    drawn = draw("span", 30, 1)
    examples = made_examples(tmp_path, "span", drawn, drawn)
    answering = Answering(examples)
    reading = answering.read(BertEncoder(bert()), examples.train)
    targets = answering.targets(reading)
    features = squad_features(tokenizer_of(folder), drawn, length=64, overlap=32)
    assert len(features) == len(reading.inputs) == 30
    assert len(targets.usable) == 30
    for number, (one, theirs) in enumerate(zip(reading.inputs, features, strict=True)):
        real = sum(theirs["attention_mask"])
        assert one.ids == theirs["input_ids"][:real]
        assert one.segments == theirs["token_type_ids"][:real]
        assert one.rows[targets.first[number]] == theirs["start_positions"]
        assert one.rows[targets.last[number]] == theirs["end_positions"]


def test_an_answer_behind_a_window_is_at_its_cls(folder: Path) -> None:
    context = " ".join(["the", "film"] * 30 + ["Osaka"])
    asked = {"question": "where", "context": context, "answers": [{"text": "Osaka", "start": context.index("Osaka")}]}
    features = squad_features(tokenizer_of(folder), [asked], length=40, overlap=10)
    assert len(features) > 1
    *earlier, last = features["start_positions"]
    assert set(earlier) == {0}
    assert last > 0


def test_sets_are_read_as_they_are_distributed(tmp_path: Path) -> None:
    (tmp_path / "squad").mkdir()
    for side, name in (("train", "Ann"), ("dev", "Bob")):
        asked = {"id": side, "question": "Who?", "answers": [{"text": name, "answer_start": 0}]}
        document = {"data": [{"title": side, "paragraphs": [{"context": f"{name} left.", "qas": [asked]}]}]}
        (tmp_path / "squad" / f"{side}-v1.1.json").write_text(json.dumps(document))
    examples = examples_of("squad", "disflqa", tmp_path / "squad")
    assert [one["context"] for one in (*examples.train, *examples.dev)] == ["Ann left.", "Bob left."]
    assert examples.manifest["doc_stride"] == 128
    with pytest.raises(FirthError, match="no such folder"):
        examples_of("glue/mrpc", "boolq", tmp_path / "glue")


def test_a_quick_look_takes_few_examples_on_both_sides() -> None:
    assert subset_of(None, quick=True) == {"train_examples": 128, "dev_examples": 128}
    assert subset_of(None, quick=True, official=False) == {"train_examples": 96, "dev_examples": 96}
    assert subset_of(64, quick=True) == {"train_examples": 64, "dev_examples": 128}
    assert subset_of(500, quick=False) == {"train_examples": 500}, "scored on the whole dev side"
    assert subset_of(None, quick=False) == {}
