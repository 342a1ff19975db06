"""Kept models that answer together: the mean of what they say, whatever they read it with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_thread import one_thread  # noqa: F401
from usage_examples import draw, examples_of, sixty_and_thirty, trained

from firth.errors import FirthError
from firth.tasks.encoders.reading import Reading
from firth.tasks.kept import ensemble
from firth.tasks.kept.ensemble import check_together
from firth.tasks.kept.folder import Kept, load
from firth.tasks.kept.predicting import predict, record
from firth.tasks.usages.usage import Number, TextLabels

SEEDS = {"seeds": [1, 2], "ensemble": True}


def pair(folder: Path, kind: str) -> tuple[Any, list[Kept]]:
    """The scores of an evaluation of two seeds with their ensemble, and the models of both seeds."""
    drawn = sixty_and_thirty(folder, kind)
    scored, _ = trained(folder / "both", kind, drawn, **SEEDS)
    return scored, [load(trained(folder / str(seed), kind, drawn, seeds=[seed])[1]) for seed in (1, 2)]


def asked(kept: Kept, kind: str, count: int = 30) -> list[dict[str, Any]]:
    return [record(kept, one) for one in draw(kind, count, 2)]


@pytest.mark.parametrize("kind", ["text", "number", "choice", "tagging", "span"])
def test_the_seeds_of_an_evaluation_answer_as_its_ensemble(tmp_path: Path, kind: str) -> None:
    scored, (first, second) = pair(tmp_path, kind)
    found = predict(first, asked(first, kind), beside=[second])
    expected = [one["predicted"] for one in scored.predictions["toy-finetuned-ensemble"]]
    if kind == "number":
        assert [one["prediction"] for one in found] == pytest.approx(expected, abs=1e-4)
    else:
        assert [one["prediction"] for one in found] == expected
    if kind != "tagging":  # the others say how sure they are
        assert found != predict(first, asked(first, kind))


def test_spans_are_averaged_by_the_characters_that_both_can_answer_with(tmp_path: Path) -> None:
    """A BERT in windows and word vectors: pieces and inputs differ, the stretches of the text are the same."""
    long = [one | {"context": "the film was rather " * 8 + one["context"]} for one in draw("span", 40, 1)]
    long = [one | {"answers": [{"text": a["text"], "start": one["context"].index(a["text"])} for a in one["answers"]]}
            for one in long]  # fmt: skip
    drawn = examples_of(tmp_path / "e", "span", long[:30], long[30:], length=52, doc_stride=8, query_length=8)
    first = load(trained(tmp_path / "bert", "span", drawn, seeds=[1])[1])
    second = load(trained(tmp_path / "words", "span", drawn, words=True, seeds=[1])[1])
    records = [record(first, one) for one in long[30:]]
    every = [
        [
            {(one["start"], one["end"]): one["score"] for one in answer["best"]}
            for answer in predict(kept, records, 5000)
        ]
        for kept in (first, second)
    ]
    for one, ours, theirs, answer in zip(records, *every, predict(first, records, 3, [second]), strict=True):
        mean = {place: (ours[place] + theirs[place]) / 2 for place in ours.keys() & theirs.keys()}
        best = sorted(mean, key=lambda place: -mean[place])[:3]
        assert [one["score"] for one in answer["best"]] == pytest.approx([mean[place] for place in best], abs=1e-5)
        assert (answer["start"], answer["end"]) == best[0]
        assert answer["prediction"] == one["context"][answer["start"] : answer["end"]]


def test_a_word_that_one_model_reads_has_its_tag(tmp_path: Path) -> None:
    """With label X, other lengths and other orders of the tags: words are what they have in common."""
    drawn = draw("tagging", 60, 1)
    short = examples_of(tmp_path / "s", "tagging", drawn[:40], drawn[40:], length=6, pieces="x")
    first = load(trained(tmp_path / "short", "tagging", short, seeds=[1])[1])
    second = load(trained(tmp_path / "long", "tagging", seeds=[1])[1])
    records = asked(first, "tagging")
    both = [answer["prediction"] for answer in predict(first, records, beside=[second])]
    alone = [answer["prediction"] for answer in predict(second, records)]
    assert [tags[4:] for tags in both] == [tags[4:] for tags in alone]
    assert {len(tags) for tags in both} == {8}


def test_labels_in_another_order_and_numbers_in_another_measure(tmp_path: Path) -> None:
    first = load(trained(tmp_path / "a", "text", seeds=[1])[1])
    second = load(trained(tmp_path / "b", "text", seeds=[1])[1])
    turned = Kept(second.said, TextLabels(["rotten", "fresh"], 32), second.form, second.model)
    outputs = {id(first): [[3.0, 1.0]], id(turned): [[0.0, 4.0]]}

    class Says:
        def __init__(self, numbers: list[list[float]]) -> None:
            self.numbers, self.encoder = numbers, first.encoder

        def logits(self, reading: Reading) -> np.ndarray:
            return np.array(self.numbers, np.float32)

    members = [Kept(one.said, one.usage, one.form, Says(outputs[id(one)])) for one in (first, turned)]
    check_together({"a": members[0], "b": members[1]})
    (answer,) = ensemble.answers(members, [{"text": "the film"}], 0)
    assert answer["prediction"] == "fresh"  # (3 + 4) / 2 against (1 + 0) / 2
    assert answer["probability"] == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-5)

    number = load(trained(tmp_path / "n", "number", seeds=[1])[1])
    members = [
        Kept(number.said, Number(mean, deviation, 32), number.form, Says([[1.0]]))
        for mean, deviation in ((2.0, 1.0), (50.0, 10.0))
    ]
    (answer,) = ensemble.answers(members, [{"first": "the film", "second": "a story"}], 0)
    assert answer["prediction"] == pytest.approx((3.0 + 60.0) / 2)


def test_models_of_other_questions_do_not_answer_together(tmp_path: Path) -> None:
    text = load(trained(tmp_path / "text", "text", seeds=[1])[1])
    drawn = [one | {"label": {"fresh": "good", "rotten": "bad"}[one["label"]]} for one in draw("text", 60, 1)]
    others = load(trained(tmp_path / "l", "text", examples_of(tmp_path / "e", "text", drawn[:40], drawn[40:]),
                          seeds=[1])[1])  # fmt: skip
    choice = load(trained(tmp_path / "choice", "choice", seeds=[1])[1])
    together = "models answer together only where they answer the same question"
    for other, message in (
        (others, f"b has the labels bad, good, a has fresh, rotten: {together}"),
        (choice, f"b is a choice model, a a text model: {together}"),
    ):
        with pytest.raises(FirthError) as error:
            check_together({"a": text, "b": other})
        assert str(error.value) == message
    check_together({"a": text, "b": text})
