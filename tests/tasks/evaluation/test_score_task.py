"""A task from examples to results: a signal is found, chance ties, and the same comes out every time."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from usage_examples import bert, draw, examples_of, vectors

from firth.canonical import dumps
from firth.config.usages import Evaluation, Finetuning, Head
from firth.errors import DataError, FirthError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.score import Scored, score_task, summary
from firth.tasks.learning.divergence import DivergedError
from firth.tasks.learning.finetune import finetune
from firth.tasks.learning.heads import SpanTargets, train_head
from firth.tasks.usages.problems import problem_of

KINDS = ["text", "pair", "span", "tagging", "number", "choice"]
SETTINGS = Evaluation(bootstrap=200, head=Head(epochs=40, batch=16, weight_decay=1.0), threads=1)
STATIC = Source("vectors", lambda: StaticEncoder(vectors()), lambda: "f" * 64)
CONTEXTUAL = Source("a model", lambda: BertEncoder(bert()))


def score(
    folder: Path, kind: str, settings: Evaluation = SETTINGS, shuffled: bool = False, train: int = 120, dev: int = 60
) -> Scored:
    examples = examples_of(folder, kind, draw(kind, train, 1, shuffled), draw(kind, dev, 2, shuffled))
    return score_task(examples, {"vectors": STATIC, "model": CONTEXTUAL}, settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_found(tmp_path: Path, kind: str) -> None:
    scored = score(tmp_path, kind)
    results = scored.results
    assert results["kind"] == kind
    assert results["examples"] == {"train": 120, "dev": 60}
    assert results["weights"] == {"vectors": "f" * 64}
    assert [system["system"] for system in results["systems"]] == ["vectors", "model"]
    for system in results["systems"]:
        assert system["low"] <= system["score"] <= system["high"]
        assert sorted(system["seeds"])[1] == system["score"]
        assert not system["details"]["constant"]
        records = scored.predictions[system["system"]]
        assert len(records) == 60
        assert set(records[0]) == {"id", "predicted", "expected", "score"}
    best = max(results["systems"], key=lambda system: system["score"])
    assert best["score"] > 0.85
    if kind != "tagging":  # where a word's tag never varies, knowing the word is enough
        assert not best["tie_with_majority"]


@pytest.mark.parametrize("kind", ["text", "pair", "number", "choice"])
def test_shuffled_labels_tie_with_the_majority(tmp_path: Path, kind: str) -> None:
    results = score(tmp_path, kind, shuffled=True).results
    assert all(system["tie_with_majority"] for system in results["systems"]), list(summary(results))
    assert all("≈ majority" in line for line in list(summary(results))[1:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_every_time(tmp_path: Path, kind: str) -> None:
    settings = SETTINGS.model_copy(
        update={
            "modes": ["frozen", "finetuned"], "seeds": [1, 2], "finetuning": Finetuning(epochs=1),
            "head": Head(epochs=4, batch=16),
        }
    )  # fmt: skip
    first, second = (score(tmp_path, kind, settings, train=40, dev=20) for _ in range(2))
    assert dumps(first.results) == dumps(second.results)
    assert first.predictions == second.predictions
    assert json.loads(dumps(first.results)) == first.results
    assert [system["system"] for system in first.results["systems"]] == [
        "vectors",
        "vectors-finetuned",
        "model",
        "model-finetuned",
    ]


@pytest.mark.parametrize("kind", ["text", "span"])
def test_an_encoder_is_gone_when_the_next_is_loaded(tmp_path: Path, kind: str) -> None:
    loaded: list[weakref.ref[BertEncoder]] = []

    def load() -> BertEncoder:
        assert [reference() for reference in loaded] == [None] * len(loaded)
        encoder = BertEncoder(bert())
        loaded.append(weakref.ref(encoder))
        return encoder

    examples = examples_of(tmp_path, kind, draw(kind, 20, 1), draw(kind, 10, 2))
    settings = SETTINGS.model_copy(
        update={"modes": ["frozen", "finetuned"], "finetuning": Finetuning(epochs=1), "head": Head(epochs=2)}
    )
    gc.disable()  # it goes with the last that speaks of it, and waits for no collection
    try:
        score_task(examples, {name: Source(name, load, lambda: "f" * 64) for name in ("one", "two", "three")}, settings)
    finally:
        gc.enable()
    assert len(loaded) == 3


def test_fine_tuning_learns_and_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 120, 1), draw("text", 60, 2))
    encoder = BertEncoder(bert())
    before = {name: value.clone() for name, value in encoder.bert.model.named_parameters()}
    problem = problem_of(examples)
    train, dev = problem.read(encoder, examples.train), problem.read(encoder, examples.dev)
    tuned = finetune(encoder, train, problem.targets(train), Finetuning(learning_rate=3e-3, epochs=10, batch=16), 1)
    assert problem.measures(problem.predict(tuned.logits(dev), dev))["accuracy"].score > 0.9
    assert all(torch.equal(value, before[name]) for name, value in encoder.bert.model.named_parameters())


def test_fine_tuning_that_diverges_is_said(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 40, 1), draw("text", 20, 2))
    encoder = BertEncoder(bert())
    with torch.no_grad():
        encoder.bert.model.encoder.embeddings.tokens.weight.fill_(torch.inf)
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    with pytest.raises(FirthError, match=r"diverged at step 1: .* lower evaluation\.finetuning\.learning_rate"):
        finetune(encoder, train, problem.targets(train), Finetuning(), 1)


def test_a_system_that_says_one_thing_is_marked(tmp_path: Path) -> None:
    empty = vectors()
    empty.matrix[:] = 0.0
    examples = examples_of(tmp_path, "text", draw("text", 60, 1), draw("text", 40, 2))
    blind = Source("blind", lambda: StaticEncoder(empty))
    (system,) = score_task(examples, {"blind": blind}, SETTINGS).results["systems"]
    assert system["details"]["constant"]
    assert system["tie_with_majority"]


def test_the_interval_is_of_the_median_seed(tmp_path: Path) -> None:
    scored = score(tmp_path, "text", SETTINGS.model_copy(update={"seeds": [1, 2, 3, 4]}), shuffled=True)
    for system in scored.results["systems"]:
        assert system["score"] == sorted(system["seeds"])[1], "of an even number the lower of the two in the middle"
        seed = system["details"]["seed"]
        assert system["seeds"][seed - 1] == system["score"]
        records = scored.predictions[system["system"]]
        assert np.mean([record["score"] for record in records]) == pytest.approx(system["score"], abs=1e-6)


def test_baselines(tmp_path: Path) -> None:
    train = [{"id": "1", "label": "b", "text": "x"}, {"id": "2", "label": "a", "text": "y"}]
    examples = examples_of(tmp_path, "text", train, train)
    assert problem_of(examples).baseline() == (["a", "a"], "always 'a', the most frequent label")
    tagged = [{"id": "1", "tokens": ["Anna", "Anna", "Anna", "x"], "tags": ["B-PER", "O", "B-PER", "O"]}]
    dev = [{"id": "2", "tokens": ["Anna", "new"], "tags": ["B-PER", "O"]}]
    predicted, what = problem_of(examples_of(tmp_path, "tagging", tagged, dev)).baseline()
    assert predicted == [["B-PER", "O"]]
    assert what == "each word's most frequent tag in training, O for a new word"
    told = [{"id": "1", "context": "Lima, in Peru", "question": "?", "answers": [{"text": "Lima, in", "start": 0}]}]
    predicted, what = problem_of(examples_of(tmp_path, "span", told, told)).baseline()
    assert (predicted, what) == (["Lima, in"], "the first 2 words of the text")


def test_parts_of_speech_have_no_outside(tmp_path: Path) -> None:
    train = [{"id": str(n), "tokens": ["the", "film"], "tags": ["DT", "NN"]} for n in range(6)]
    dev = [{"id": "d", "tokens": ["the"] * 5, "tags": ["DT"] * 5}]
    examples = examples_of(tmp_path, "tagging", train, dev, metric="accuracy", length=4)
    (system,) = score_task(examples, {"model": CONTEXTUAL}, SETTINGS).results["systems"]
    assert system["details"]["words_read"] == 0.4
    assert system["score"] == 1.0, "words that are not read get the most frequent tag"


def test_what_cannot_be_learned_from_is_said(tmp_path: Path) -> None:
    one = draw("text", 1, 1)
    with pytest.raises(DataError, match="toy: the dev side has no examples"):
        problem_of(examples_of(tmp_path, "text", one, []))
    with pytest.raises(DataError, match=r"toy: the train side has only the label '\w+': nothing to tell apart"):
        problem_of(examples_of(tmp_path, "text", one, one))
    far = draw("span", 5, 1)
    for example in far:
        example["context"] = "the " * 40 + example["context"]
        example["answers"][0]["start"] += 160
    problem = problem_of(examples_of(tmp_path, "span", far, far))
    with pytest.raises(DataError, match="toy: no answer of the train side is within the length of 32"):
        problem.targets(problem.read(BertEncoder(bert()), far))


def test_an_answer_that_is_cut_off_is_not_learned_from(tmp_path: Path) -> None:
    context = "Anna left Leeds and the film"
    example = {"id": "1", "context": context, "question": "who", "answers": [{"text": "Leeds and the", "start": 10}]}
    problem = problem_of(examples_of(tmp_path, "span", [example] * 2, [example]))
    encoder = BertEncoder(bert())
    for length, expected in ((32, ([2, 2], [4, 4])), (8, None)):
        reading = encoder.spans(["who"] * 2, [context] * 2, length)
        if expected is None:
            with pytest.raises(DataError, match="no answer of the train side is within the length"):
                problem.targets(reading)
            continue
        targets = problem.targets(reading)
        assert isinstance(targets, SpanTargets)
        assert (targets.first.tolist(), targets.last.tolist()) == expected


def test_text_without_a_piece_has_the_empty_answer(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "span", draw("span", 20, 1), draw("span", 2, 2))
    examples.dev[0]["context"] = "\u200b"
    scored = score_task(examples, {"vectors": STATIC}, SETTINGS)
    assert scored.predictions["vectors"][0]["predicted"] == ""
    assert scored.predictions["vectors"][0]["score"] == 0.0


def test_features_without_spread_do_no_harm(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 60, 1), draw("text", 30, 2))
    encoder = StaticEncoder(vectors())
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    features = np.concatenate([encoder.features(train), np.full((60, 2), 1e6, np.float32)], axis=1)
    head = train_head(features, train, problem.targets(train), Head(), 1)
    assert np.isfinite(head.logits(features)).all()


def test_a_head_on_features_that_are_no_numbers_is_refused(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 60, 1), draw("text", 30, 2))
    encoder = StaticEncoder(vectors())
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    features = np.full((60, 2), np.inf, np.float32)
    with pytest.raises(
        DivergedError, match=r"a head on frozen features diverged at step 1: the loss is nan; lower eva"
    ):
        train_head(features, train, problem.targets(train), Head(), 1)
