"""Numbers for pairs and choices among endings: what heads learn, predict and are measured by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from usage_examples import bert, draw, examples_of, vectors

from firth.config.usages import Evaluation, Finetuning, Head
from firth.errors import DataError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Reading
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.score import score_task
from firth.tasks.learning.finetune import finetune
from firth.tasks.learning.heads import ChoiceTargets
from firth.tasks.usages.numbers import overlap
from firth.tasks.usages.problems import problem_of

SETTINGS = Evaluation(bootstrap=200, head=Head(epochs=40, batch=16, weight_decay=1.0), threads=1)
BERT = bert()
STATIC = StaticEncoder(vectors())


def choice(label: int, *endings: str, context: str = "Anna left") -> dict:
    return {"id": f"{context}-{label}-{len(endings)}", "context": context, "endings": list(endings), "label": label}


def pair(score: float, first: str = "the film", second: str = "the story") -> dict:
    return {"id": f"{first}-{second}-{score}", "first": first, "second": second, "score": score}


@pytest.mark.parametrize("kind", ["number", "choice"])
def test_fine_tuning_learns(tmp_path: Path, kind: str) -> None:
    examples = examples_of(tmp_path, kind, draw(kind, 120, 1), draw(kind, 60, 2))
    encoder = BertEncoder(bert())
    problem = problem_of(examples)
    train, dev = problem.read(encoder, examples.train), problem.read(encoder, examples.dev)
    settings = Finetuning(learning_rate=3e-3, epochs=14, batch=16)
    first, second = (finetune(encoder, train, problem.targets(train), settings, seed) for seed in (1, 1))
    predicted = problem.predict(first.logits(dev), dev)
    assert problem.measures(predicted)[examples.manifest["metric"]].score > 0.9
    assert not problem.constant(predicted)
    assert problem.predict(second.logits(dev), dev) == predicted, "dropout and order are the seed's"


def test_predictions_are_numbers_of_the_files_own_kind(tmp_path: Path) -> None:
    wide = [one | {"score": 100.0 * one["score"] - 3000.0} for one in draw("number", 120, 1)]
    examples = examples_of(tmp_path, "number", wide, wide[:50])
    scored = score_task(examples, {"vectors": Source("vectors", lambda: StaticEncoder(vectors()))}, SETTINGS)
    records = scored.predictions["vectors"]
    off = [abs(record["predicted"] - record["expected"]) for record in records]
    assert np.mean(off) < 60, "of numbers that are 171 from their mean on average"
    assert all(type(record["predicted"]) is float and type(record["expected"]) is float for record in records)
    (system,) = scored.results["systems"]
    details = system["details"]
    assert details["pearson_spearman"] == pytest.approx((details["pearson"] + details["spearman"]) / 2, abs=1e-6)
    assert np.mean([record["score"] for record in records]) == pytest.approx(system["score"], abs=1e-5)
    assert scored.results["majority"]["what"] == "the share of the two texts' words that both have"


def test_a_number_head_that_has_collapsed_is_marked(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "number", [pair(0.0), pair(4.0)], draw("number", 30, 2))
    problem = problem_of(examples)
    reading = problem.read(STATIC, examples.dev)
    noise = np.random.default_rng(1).uniform(-0.004, 0.004, (30, 1)).astype(np.float32)
    assert problem.predict(np.zeros((30, 1), np.float32), reading) == [2.0] * 30
    assert problem.constant(problem.predict(noise, reading))
    assert not problem.constant(problem.predict(noise * 10, reading))
    empty = vectors()
    empty.matrix[:] = 0.0
    trained = examples_of(tmp_path, "number", draw("number", 60, 1), draw("number", 30, 2))
    (system,) = score_task(trained, {"blind": Source("blind", lambda: StaticEncoder(empty))}, SETTINGS).results[
        "systems"
    ]
    assert system["details"]["constant"]
    assert (system["score"], system["low"], system["high"]) == (0.0, 0.0, 0.0)


def test_one_number_only_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"toy: the train side has only the number 2\.5: nothing to tell apart"):
        problem_of(examples_of(tmp_path, "number", [pair(2.5), pair(2.5)], [pair(1.0)]))


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        ("The film, the FILM!", "the film", 1.0),
        ("a warm film", "a dull film", 0.5),
        ("naïve Straße", "STRASSE", 0.0),
        ("—", "…", 0.0),
        ("", "film", 0.0),
    ],
)
def test_the_overlap_of_words(first: str, second: str, share: float) -> None:
    assert overlap(first, second) == overlap(second, first) == share


def test_an_ending_is_read_as_a_pair_is() -> None:
    contexts, endings = ["Anna left", "the film"], [["it was warm", "awful ."], ["dull", "it was", "camera"]]
    flat = [("Anna left", "it was warm"), ("Anna left", "awful ."), *(("the film", e) for e in endings[1])]
    encoder = BertEncoder(BERT)
    reading = encoder.choices(contexts, endings, 16)
    assert reading.counts.tolist() == [2, 3]
    pairs = encoder.pairs(*map(list, zip(*flat, strict=True)), 16)
    np.testing.assert_allclose(encoder.features(reading), encoder.features(pairs), atol=1e-5)
    static = STATIC.choices(contexts, endings, 16)
    assert static.counts.tolist() == [2, 3]
    whole = STATIC.features(STATIC.pairs(*map(list, zip(*flat, strict=True)), 16))
    width = STATIC.width
    np.testing.assert_array_equal(STATIC.features(static), whole[:, width:])


def test_many_choices_are_read_within_the_bound_of_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    from firth.tasks.encoders import contextual

    encoder = BertEncoder(BERT)
    drawn = draw("choice", 30, 1)
    reading = encoder.choices([e["context"] for e in drawn], [e["endings"] for e in drawn], 32)
    together = encoder.features(reading)
    read = []
    forward = encoder.forward
    monkeypatch.setattr(contextual, "BATCH_TOKENS", 200)
    monkeypatch.setattr(
        encoder, "forward", lambda model, batch, packed: read.append(len(batch)) or forward(model, batch, packed)
    )
    np.testing.assert_allclose(encoder.features(reading), together, atol=1e-5)
    assert sum(read) == 30
    assert max(read) * 4 * 10 <= 200


def test_the_loss_of_a_choice_is_that_of_a_softmax_over_its_own_endings() -> None:
    reading = Reading([None] * 3, np.array([2, 3, 2]))
    targets = ChoiceTargets(np.arange(3), np.array([1, 0, 1]))
    logits = torch.tensor([[3.0], [1.0], [2.0], [0.5], [-1.0]])
    expected = (
        F.cross_entropy(torch.tensor([[2.0, 0.5, -1.0]]), torch.tensor([0]))
        + F.cross_entropy(torch.tensor([[3.0, 1.0]]), torch.tensor([1]))
    ) / 2
    swapped = torch.cat([logits[2:], logits[:2]])
    assert targets.loss(swapped, [1, 0], reading).item() == pytest.approx(expected.item())
    assert targets.loss(logits, [0, 1], reading).item() == pytest.approx(expected.item())
    assert targets.loss(logits + 7.0, [0, 1], reading).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_greatest_output_of_an_examples_own_endings_is_the_answer(tmp_path: Path) -> None:
    dev = [choice(1, "warm", "dull"), choice(2, "a", "b", "c"), choice(0, "x", "y")]
    problem = problem_of(examples_of(tmp_path, "choice", dev, dev))
    reading = problem.read(STATIC, dev)
    logits = np.array([[1], [9], [0], [0], [-1], [5], [5]], np.float32)
    predicted = problem.predict(logits, reading)
    assert predicted == [1, 0, 0]
    assert problem.measures(predicted)["accuracy"].score == pytest.approx(2 / 3)
    assert not problem.constant(predicted)
    assert problem.constant([0, 0, 0])


def test_the_answer_without_an_encoder_is_the_best_of_three(tmp_path: Path) -> None:
    def baseline(*train: dict) -> tuple[list, str]:
        dev = [choice(0, "long enough", "x", "middle"), choice(1, "warm", "w")]
        return problem_of(examples_of(tmp_path, "choice", list(train), dev)).baseline()

    same = [choice(2, "a", "b", "c"), choice(2, "d", "e", "f"), choice(0, "g", "h", "i")]
    assert baseline(*same) == ([2, 1], "always ending 2, the most frequent right one")
    long = [choice(0, "warmer", "b"), choice(1, "d", "dull"), choice(2, "x", "y", "brilliant")]
    assert baseline(*long) == ([0, 0], "the longest ending")
    short = [choice(1, "warmer", "b"), choice(0, "d", "dull"), choice(2, "xxx", "yyy", "b")]
    assert baseline(*short) == ([1, 1], "the shortest ending")


def test_endings_are_cut_to_the_length_and_empty_words_do_no_harm(tmp_path: Path) -> None:
    odd = [choice(0, "\u200b", "the " * 300), choice(1, "qwertz", "—")] * 8
    for number, one in enumerate(odd):
        odd[number] = one | {"id": str(number), "context": "the film " * 90}
    examples = examples_of(tmp_path, "choice", odd, odd)
    sources = {"vectors": Source("vectors", lambda: STATIC), "model": Source("a model", lambda: BertEncoder(BERT))}
    for system in score_task(examples, sources, SETTINGS).results["systems"]:
        assert 0.0 <= system["score"] <= 1.0
