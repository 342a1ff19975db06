"""Examples that are longer than what is read stand in the details of each system, and are said in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from usage_examples import bert, draw, examples_of, vectors

from firth.config.usages import Evaluation, Head
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.score import score_task

SETTINGS = Evaluation(bootstrap=100, head=Head(epochs=2, batch=16), threads=1)
SOURCES = {
    "vectors": Source("vectors", lambda: StaticEncoder(vectors())),
    "model": Source("a model", lambda: BertEncoder(bert())),
}
LONGER = {
    "text": ("text", "The film is warm. " * 2500),
    "pair": ("second", "It was dull. " * 2500),
    "number": ("first", "It was dull. " * 2500),
    "choice": ("endings", ["it was dull . " * 2500, *["it was warm ."] * 3]),
    "span": ("question", "where did it go " * 2500),
}


@pytest.mark.parametrize("kind", ["text", "pair", "span", "tagging", "number", "choice"])
def test_the_cut_is_counted_for_every_kind(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, dev = draw(kind, 20, 1), draw(kind, 8, 2)
    if kind == "tagging":
        longer = {"tokens": dev[0]["tokens"] * 1250, "tags": dev[0]["tags"] * 1250}
    else:
        longer = dict([LONGER[kind]])
    dev[0] |= longer
    dev[3] |= longer
    train[1] |= longer if kind != "tagging" else {}
    scored = score_task(examples_of(tmp_path, kind, train, dev), SOURCES, SETTINGS)
    for system in scored.results["systems"]:
        assert (system["details"]["cut"], system["details"]["cut_share"]) == (2, 0.25)
        assert system["details"].get("train_cut") == (1 if kind != "tagging" else None)
    further = " and 1 of 20 training examples" if kind != "tagging" else ""
    printed = capsys.readouterr().err
    for label in ("vectors", "a model"):
        said = f"{label}: 2 of 8 dev examples{further} are longer than 32 tokens and were cut; raise length\n"
        assert printed.count(said) == 1


def test_nothing_is_said_where_all_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 20, 1), draw("text", 8, 2))
    results = score_task(examples, SOURCES, SETTINGS).results
    assert "longer than" not in capsys.readouterr().err
    assert not {"cut", "cut_share", "train_cut"} & {key for system in results["systems"] for key in system["details"]}
    assert not {"left_out", "repeats"} & results.keys()


def test_the_remedy_is_what_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, dev = draw("span", 20, 1), draw("span", 8, 2)
    dev[0]["question"] *= 20
    windows = {"length": 64, "doc_stride": 8, "query_length": 12}
    score_task(examples_of(tmp_path, "span", train, dev, **windows), {"model": SOURCES["model"]}, SETTINGS)
    said = "1 of 8 dev examples are longer than 12 tokens and were cut (their questions); raise query_length"
    assert said in capsys.readouterr().err
    texts = draw("text", 8, 2)
    texts[0]["text"] *= 20
    score_task(
        examples_of(tmp_path, "text", draw("text", 20, 1), texts, length=512), {"model": SOURCES["model"]}, SETTINGS
    )
    assert "longer than 64 tokens and were cut; this model has no more positions" in capsys.readouterr().err


def test_what_was_left_out_stands_in_the_results(tmp_path: Path) -> None:
    rows = [{"reason": "no label", "examples": 2, "example": "One"}]
    told = examples_of(tmp_path, "text", draw("text", 20, 1), draw("text", 8, 2), left_out=rows, repeats=3)
    results = score_task(told, {"vectors": SOURCES["vectors"]}, SETTINGS).results
    assert (results["left_out"], results["repeats"]) == (rows, 3)
