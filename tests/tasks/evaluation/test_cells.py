"""Trainings that are kept: an evaluation goes on where it was, and comes to the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from usage_examples import bert, draw, examples_of

from firth.canonical import dumps, read_json, write_json
from firth.config.usages import Evaluation, Finetuning
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.sources import Source
from firth.tasks.evaluation import learners
from firth.tasks.evaluation.cells import Cells, bert_identity
from firth.tasks.evaluation.score import score_task
from firth.tasks.examples.files import Examples
from firth.tasks.learning.stopping import Learned

SETTINGS = Evaluation(
    modes=["finetuned"], bootstrap=100, threads=1, seeds=[1, 2], ensemble=True,
    finetuning=Finetuning(learning_rate=3e-3, epochs=2, batch=16, early_stopping=True),
)  # fmt: skip
LOGITS = np.array([[0.25, -1.5], [3.0, 1e-9]], np.float32)


class Training:
    """Learns the same each time, and counts how often."""

    def __init__(self, epoch: int | None = None) -> None:
        self.done, self.epoch = 0, epoch

    def __call__(self) -> Learned:
        self.done += 1
        return Learned(LOGITS, self.epoch)


@pytest.fixture
def texts(tmp_path: Path) -> Examples:
    return examples_of(tmp_path, "text", draw("text", 40, 1), draw("text", 30, 2))


def model(seed: int = 1) -> Source:
    return Source("a model", lambda: BertEncoder(bert(seed)))


@pytest.mark.parametrize("epoch", [None, 3])
def test_what_is_kept_is_not_learned_again(tmp_path: Path, epoch: int | None) -> None:
    cells, training = Cells(tmp_path / "cells"), Training(epoch)
    for _ in range(2):
        found = cells.learned({"seed": 1}, training)
        assert np.array_equal(found.logits, LOGITS)
        assert found.logits.dtype == np.float32
        assert found.epoch == epoch
    assert training.done == 1
    cells.learned({"seed": 2}, training)
    assert training.done == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("dev.safetensors", cut), ("dev.safetensors", flip), ("dev.safetensors", Path.unlink),
        ("cell.json", cut), ("cell.json", Path.unlink), ("cell.json", lambda path: write_json(path, [])),
    ],
)  # fmt: skip
def test_a_torn_or_altered_cell_is_learned_again(tmp_path: Path, name: str, harm: Callable[[Path], None]) -> None:
    cells, training = Cells(tmp_path), Training()
    cells.learned({"seed": 1}, training)
    (place,) = tmp_path.iterdir()
    harm(place / name)
    for _ in range(2):
        assert np.array_equal(cells.learned({"seed": 1}, training).logits, LOGITS)
    assert training.done == 2, "again once, and kept"


def test_where_nothing_can_be_written_the_training_counts_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").write_text("a file")
    training = Training()
    for _ in range(2):
        assert np.array_equal(Cells(tmp_path / "cells").learned({"seed": 1}, training, "toy").logits, LOGITS)
    assert training.done == 2
    assert "toy: not kept, it will be made again next time" in capsys.readouterr().err


def test_the_cells_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    training = Training()
    Cells(tmp_path).learned({"seed": 0}, training)
    (first,) = tmp_path.iterdir()
    size = sum(path.stat().st_size for path in first.iterdir())
    cells = Cells(tmp_path, most_bytes=int(2.5 * size))
    cells.learned({"seed": 1}, training)
    for age, place in enumerate(sorted(tmp_path.iterdir(), key=lambda one: one != first)):
        os.utime(place, (1000 + age, 1000 + age))
    cells.learned({"seed": 0}, training)  # used: the other one is the oldest now
    cells.learned({"seed": 2}, training)
    assert training.done == 3
    assert sorted(read_json(place / "cell.json")["of"]["seed"] for place in tmp_path.iterdir()) == [0, 2]


@pytest.mark.slow
def test_results_are_the_same_bytes_with_cells_without_and_after_a_break(
    tmp_path: Path, texts: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = score_task(texts, {"model": model()}, SETTINGS)
    cells = Cells(tmp_path / "cells")
    made = []
    finetune = learners.finetune

    def breaks_at_the_second(*arguments: object) -> object:
        made.append(arguments)
        if len(made) == 2:
            raise KeyboardInterrupt
        return finetune(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(learners, "finetune", breaks_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        score_task(texts, {"model": model()}, SETTINGS, cells)
    resumed = score_task(texts, {"model": model()}, SETTINGS, cells)
    assert len(made) == 3, "seed 1; seed 2, broken off; seed 2 again"
    again = score_task(texts, {"model": model()}, SETTINGS, cells)
    assert len(made) == 3
    for scored in (resumed, again):
        assert dumps(scored.results) == dumps(without.results)
        assert scored.predictions == without.predictions


@pytest.mark.slow
def test_what_a_training_depends_on_makes_another_cell(
    tmp_path: Path, texts: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cells"
    one = SETTINGS.model_copy(update={"seeds": [1]})
    tuning = one.finetuning.model_copy(update={"batch": 20})
    others = examples_of(tmp_path / "other", "text", draw("text", 40, 3), draw("text", 30, 2))
    made = 0
    monkeypatch.setattr(learners, "finetune", lambda *_: None)
    monkeypatch.setattr(learners.BestEpoch, "learned", Learned(np.eye(2, dtype=np.float32)[[0, 1] * 15], 1))
    for examples, source, settings in (
        (texts, model(), one),
        (others, model(), one),
        (texts, model(2), one),
        (texts, model(), one.model_copy(update={"finetuning": tuning})),
        (texts, model(), one.model_copy(update={"seeds": [2]})),
        (texts, model(), one.model_copy(update={"threads": 2})),
        (texts, Source("m", lambda: BertEncoder(bert(), "cls")), one),
    ):
        score_task(examples, {"model": source}, settings, Cells(folder))
        made += 1
        assert len(list(folder.iterdir())) == made
    # What only says how results are summed up is no part of it.
    score_task(texts, {"x": model()}, one.model_copy(update={"bootstrap": 200, "restarts": 0}), Cells(folder))
    assert len(list(folder.iterdir())) == made


def test_an_encoder_is_known_by_its_weights() -> None:
    first, second = BertEncoder(bert()), BertEncoder(bert())
    assert bert_identity(first) == bert_identity(second)
    with torch.no_grad():
        second.bert.model.encoder.embeddings.tokens.weight[0, 0] += 1e-6
    assert bert_identity(first) != bert_identity(second)


def test_a_head_to_begin_with_is_part_of_it() -> None:
    encoder, heads = BertEncoder(bert()), [torch.nn.Linear(32, 2) for _ in range(2)]
    new, *begun = [bert_identity(encoder, head) for head in (None, *heads)]
    assert begun[0] != begun[1]
    assert [{key: one[key] for key in new} for one in begun] == [new, new]
