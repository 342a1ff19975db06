"""What a run's artifact tells a reader: scores, what was changed, what the gate said and why."""

from __future__ import annotations

from firth.pipeline.finish import Summary, overview

OUTCOMES = [
    {"stage": "words", "state": "up to date", "seconds": 0.0, "error": None},
    {"stage": "word2vec@cbow", "state": "done", "seconds": 41.26, "error": None},
]
DECISION = {
    "name": "word2vec-cbow",
    "version": "2",
    "champion": "1",
    "verdict": "refused",
    "reasons": ["analogies fell from 0.1637 to 0.1124", "wordsim353 fell"],
}


def test_a_refused_experiment() -> None:
    table = {"title": "Word vectors", "columns": ("cbow",), "rows": (("training loss", "1.5"),), "note": "a note"}
    summary = Summary("bold-crab-1a2b", OUTCOMES, False, "c" * 40, [table], [DECISION])
    text = overview(["word2vec.window: 5 → 3"], summary)
    parts = ["### Word vectors", "| training loss | 1.5 |", "a note"]
    parts += ["- `word2vec.window: 5 → 3`", "**refused** (analogies fell from 0.1637 to 0.1124; "]
    parts += ["Champion: version 1.", "`dvc exp apply bold-crab-1a2b`", "| words | up to date | |"]
    parts += ["| word2vec@cbow | done | 41.3 |"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_nothing_is_said_of_what_was_not() -> None:
    text = overview([], Summary("bold-crab-1a2b", OUTCOMES, True, None))
    assert [line for line in text.splitlines() if line.startswith("#")] == ["## Scores", "## Stages"]
    assert "exp apply" not in text
