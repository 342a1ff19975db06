"""A further training begins with a kept model: with its head, too, where that answers the same question."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from one_thread import one_thread  # noqa: F401
from usage_examples import bert, draw, examples_of, sixty_and_thirty, trained

from firth.bert.folder import save
from firth.canonical import dumps
from firth.config.usages import BiLSTM, Evaluation, Finetuning
from firth.tasks.encoders import sources
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.score import score_task
from firth.tasks.kept.folder import load
from firth.tasks.kept.keeping import keep
from firth.tasks.kept.starting import from_folder
from firth.tasks.learning.finetune import Finetuned, finetune
from firth.tasks.learning.heads import new_head
from firth.tasks.usages.problems import problem_of
from firth.tasks.usages.usage import Tags

STILL = Evaluation(
    modes=["finetuned"], seeds=[1], threads=1, bootstrap=100, finetuning=Finetuning(learning_rate=1e-12, epochs=1)
)
"""A training that moves nothing: what it begins with is what it ends with."""


@pytest.mark.parametrize("kind", ["text", "pair", "number", "choice", "tagging", "span"])
def test_a_training_on_the_same_question_begins_with_the_kept_head(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, folder = trained(tmp_path, kind, seeds=[1])
    source = from_folder(folder, "kept", STILL)
    capsys.readouterr()
    drawn = sixty_and_thirty(tmp_path, kind)
    scored = score_task(drawn, {"toy": source}, STILL)
    shown = capsys.readouterr().err
    assert f"kept: fine-tuning begins with the kept head ({kind})\n" in shown
    assert "left out" not in shown
    assert scored.predictions == before.predictions
    # The model that is made again for --save begins there, too.
    keep(tmp_path / "next", drawn, source, STILL, scored.results["systems"][0])
    ours, theirs = (load(one).model for one in (folder, tmp_path / "next"))
    assert isinstance(ours, Finetuned)
    assert isinstance(theirs, Finetuned)
    torch.testing.assert_close(theirs.head.weight, ours.head.weight)


def test_other_questions_have_a_new_head_and_why_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {kind: trained(tmp_path / kind, kind, seeds=[1])[1] for kind in ("text", "tagging")}
    frozen = trained(tmp_path / "f", "text", modes=["frozen"], heads=["bilstm"], bilstm=BiLSTM(hidden=8, epochs=1),
                     seeds=[1])[1]  # fmt: skip
    renamed = [one | {"label": {"fresh": "good", "rotten": "bad"}[one["label"]]} for one in draw("text", 90, 1)]
    texts = sixty_and_thirty(tmp_path, "text")
    for folder, drawn, settings, why in (
        (kept["text"], examples_of(tmp_path / "r", "text", renamed, renamed), {}, "has the labels fresh, rotten"),
        (kept["text"], sixty_and_thirty(tmp_path, "pair"), {}, "is for text"),
        (kept["text"], texts, {"pooling": "cls"}, "reads the pooling mean"),
        (kept["text"], texts, {"layers": "sum4"}, "reads the layers last"),
        (kept["tagging"], sixty_and_thirty(tmp_path, "tagging", pieces="x"), {}, "has no label X"),
        (frozen, texts, {}, "is of a BiLSTM on a frozen BERT"),
    ):  # fmt: skip
        asked = STILL.model_copy(update=settings)
        start = from_folder(folder, "kept", asked).start
        assert start is not None
        head, said = start(problem_of(drawn).usage)
        assert head is None
        assert said == f"kept: fine-tuning begins with a new head; the kept one {why}"
    score_task(texts, {"toy": from_folder(frozen, "kept", STILL)}, STILL)
    assert capsys.readouterr().err.count("begins with a new head") == 1
    asked = STILL.model_copy(update={"modes": ["frozen"]})
    score_task(texts, {"toy": from_folder(kept["text"], "kept", asked)}, asked)
    assert "begins with" not in capsys.readouterr().err, "nothing is fine-tuned"


def test_outputs_stand_in_the_order_of_the_new_labels(tmp_path: Path) -> None:
    _, folder = trained(tmp_path, "tagging", seeds=[1])
    kept = load(folder)
    assert isinstance(kept.usage, Tags)
    assert isinstance(kept.model, Finetuned)
    turned = list(reversed(kept.usage.labels))
    start = from_folder(folder, "kept", STILL).start
    assert start is not None
    head, _ = start(Tags(turned, "O", 32))
    assert head is not None
    assert torch.equal(head.weight.flip(0), kept.model.head.weight)
    assert torch.equal(head.bias.flip(0), kept.model.head.bias)


def test_trainings_from_another_head_are_other_cells(tmp_path: Path) -> None:
    """The same encoder with and without its head, and with another one."""
    _, folder = trained(tmp_path, "text", seeds=[1])
    drawn, cells = sixty_and_thirty(tmp_path, "text"), Cells(tmp_path / "cells")
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / "task.json").unlink()
    results = []
    for place in ("kept", "bare", "kept"):
        scored = score_task(drawn, {"toy": from_folder(tmp_path / place, "m", STILL)}, STILL, cells)
        results.append(scored.predictions)
    assert len(list((tmp_path / "cells").iterdir())) == 2
    assert results[0] == results[2]


def test_an_encoder_without_a_head_begins_as_ever(tmp_path: Path) -> None:
    save(tmp_path / "plain", bert())
    drawn = sixty_and_thirty(tmp_path, "text")
    source = from_folder(tmp_path / "plain", "m", STILL)
    assert source.start is None
    settings = STILL.model_copy(update={"finetuning": Finetuning(learning_rate=3e-3, epochs=1, batch=16)})
    found = [
        score_task(drawn, {"toy": one}, settings)
        for one in (source, sources.from_folder(tmp_path / "plain", "m", settings))
    ]
    assert dumps(found[0].results) == dumps(found[1].results)


def test_the_batches_are_those_of_a_new_head(tmp_path: Path) -> None:
    """What is drawn for a head that is not used is drawn all the same."""
    drawn = sixty_and_thirty(tmp_path, "text")
    problem, encoder = problem_of(drawn), BertEncoder(bert())
    train = problem.read(encoder, drawn.train)
    settings = Finetuning(learning_rate=1e-3, epochs=1, batch=16)
    targets = problem.targets(train)
    new = new_head(encoder.width, targets.columns, torch.Generator().manual_seed(1))
    first = finetune(encoder, train, targets, settings, 1)
    second = finetune(encoder, train, targets, settings, 1, None, "rate", new)
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert np.array_equal(one.detach().numpy(), other.detach().numpy())
