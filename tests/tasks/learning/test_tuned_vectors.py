"""Word vectors trained together with a head: what they lacked is learned, and what was given stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from usage_examples import all_words, draw, examples_of, vectors

from firth.canonical import dumps
from firth.config.usages import BiLSTM, Evaluation, Head
from firth.tasks.encoders.bags import Bags
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.score import score_task
from firth.tasks.learning.table import Table
from firth.tasks.learning.tuned import train_vectors
from firth.tasks.usages.problems import problem_of
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.vectors import Vectors

KINDS = ["text", "pair", "span", "tagging", "number", "choice"]
SETTINGS = Evaluation(
    modes=["frozen", "finetuned"],
    head=Head(epochs=20, batch=16, weight_decay=1.0),
    bilstm=BiLSTM(hidden=24, layers=1, dropout=0.1, learning_rate=0.01, epochs=8, batch=16),
    vectors_learning_rate=0.02,
    bootstrap=200,
    threads=1,
    seeds=[1],
)


def useless() -> Vectors:
    """All words alike."""
    words = all_words()
    counts = np.arange(len(words), 0, -1, dtype=np.int64)
    return Vectors(Vocabulary(tuple(words), counts), np.ones((len(words), 16), np.float32))


@pytest.mark.slow
def test_useless_vectors_become_useful(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 120, 1), draw("text", 60, 2))
    source = Source("vectors", lambda: StaticEncoder(useless()))
    asked = SETTINGS.model_copy(update={"heads": ["linear", "bilstm"]})
    results = score_task(examples, {"v": source}, asked).results
    found = {system["system"]: system["score"] for system in results["systems"]}
    assert list(found) == ["v", "v-bilstm", "v-finetuned", "v-finetuned-bilstm"]
    assert max(found["v"], found["v-bilstm"]) < 0.7
    assert min(found["v-finetuned"], found["v-finetuned-bilstm"]) > 0.95
    labels = [system["label"] for system in results["systems"]]
    assert labels[2:] == ["vectors, fine-tuned", "vectors, fine-tuned, BiLSTM"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_usage_can_be_tuned_and_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    examples = examples_of(tmp_path, kind, draw(kind, 90, 1), draw(kind, 50, 2))
    asked = SETTINGS.model_copy(update={"modes": ["finetuned"]})
    source = Source("vectors", lambda: StaticEncoder(vectors()))
    first, second = (score_task(examples, {"v": source}, asked) for _ in range(2))
    assert dumps(first.results) == dumps(second.results)
    assert first.results["systems"][0]["score"] > 0.8


def test_what_was_given_stays_and_words_beside_the_task_too(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 60, 1), draw("text", 60, 2))
    problem, encoder = problem_of(examples), StaticEncoder(vectors())
    before = encoder.matrix.copy()
    train = problem.read(encoder, examples.train)
    network = train_vectors(encoder, train, problem.targets(train), SETTINGS.head, 0.02, 1)
    assert np.array_equal(encoder.matrix, before)
    given, unseen = Table.of(encoder, train.inputs, trained=False), encoder.texts(["Osaka", "film", "zzz"], 8)

    def rows(table: Table) -> torch.Tensor:
        ids = np.array([item.sequences[0].ids[0] for item in unseen.inputs], np.int64)
        return table.with_words_of(unseen.inputs)(Bags(ids, np.arange(3))).detach()

    tuned, old = rows(network.table), rows(given)
    assert torch.equal(tuned[0], old[0]), "Osaka is in no text of the task"
    assert not torch.equal(tuned[1], old[1])
    assert torch.equal(tuned[2], old[2]), "all words of the texts have vectors, so nothing is learned of unknown ones"


def test_unknown_words_share_a_row_that_is_learned(tmp_path: Path) -> None:
    train = [{"id": str(n), "text": ["zzz", "film"][n % 2], "label": "ab"[n % 2]} for n in range(20)]
    examples = examples_of(tmp_path, "text", train, train)
    problem, encoder = problem_of(examples), StaticEncoder(vectors())
    reading = problem.read(encoder, train)
    network = train_vectors(encoder, reading, problem.targets(reading), SETTINGS.head, 0.02, 1)
    other = network.logits(encoder.texts(["qqq", "zzz", "film"], 8))
    assert other[0].tobytes() == other[1].tobytes()
    assert network.table.weight[-1].abs().sum() > 0
    assert other.argmax(axis=1).tolist() == [0, 0, 1]


def test_nothing_trained_is_the_frozen_head(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "pair", draw("pair", 40, 1), draw("pair", 20, 2))
    problem, encoder = problem_of(examples), StaticEncoder(vectors())
    reading = problem.read(encoder, examples.train)
    table = Table.of(encoder, reading.inputs, trained=False)
    ids = np.unique(np.concatenate([part.ids for item in reading.inputs for part in item.sequences]))
    found = table(Bags(ids, np.arange(len(ids)))).detach().numpy()
    plain = encoder.matrix[ids]
    assert np.corrcoef(found[:, 0], plain[:, 0])[0, 1] == pytest.approx(1.0, abs=1e-5), "standardised, not altered"


@pytest.mark.slow
def test_trainings_are_kept_and_told_apart(tmp_path: Path) -> None:
    examples = examples_of(tmp_path / "task", "text", draw("text", 40, 1), draw("text", 20, 2))
    cells = Cells(tmp_path / "cells")
    asked = SETTINGS.model_copy(update={"heads": ["linear", "bilstm"]})

    def results(settings: Evaluation, seed: int = 1) -> bytes:
        source = Source("vectors", lambda: StaticEncoder(vectors(seed)))
        return dumps(score_task(examples, {"v": source}, settings, cells).results)

    def kept() -> int:
        return len(list((tmp_path / "cells").iterdir()))

    asked = asked.model_copy(
        update={name: getattr(asked, name).model_copy(update={"epochs": 1}) for name in ("head", "bilstm")}
    )
    first = results(asked)
    assert kept() == 3, "the linear head on frozen vectors takes no time"
    assert results(asked) == first
    assert kept() == 3
    results(asked, seed=2)
    assert kept() == 6, "other vectors"
    results(asked.model_copy(update={"bilstm": asked.bilstm.model_copy(update={"hidden": 12})}))
    assert kept() == 8, "another BiLSTM, frozen and tuned"
    results(asked.model_copy(update={"vectors_learning_rate": 0.01}))
    assert kept() == 10, "where vectors are tuned, at another rate"
