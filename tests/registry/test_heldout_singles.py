"""What held-out words cost, instance by instance, and whether a gain on them is more than noise."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fable_training import unwatched
from fables import fable_store, small_training
from scored_project import ScoredProject

from firth.bert.data.instances import Instances
from firth.bert.data.text import Text
from firth.bert.folder import Bert
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.evaluation import HeldOut, unigram_losses
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.loop import HELDOUT_SEED, Pretrained
from firth.bert.pretraining.outputs import write_outputs
from firth.bert.pretraining.train import pretrain
from firth.canonical import read_json, write_json
from firth.config.bert import Bert as Settings
from firth.config.bert import HeldOut as Looks
from firth.errors import DataError, IntegrityError
from firth.registry import heldout_singles
from firth.registry.gate import Scores
from firth.registry.heldout_singles import of_folder, scores
from firth.registry.noise import noise_of_gain
from firth.registry.promote import Promotion, promote_all
from firth.registry.singles import Singles, in_order, kept
from firth.registry.versions import SCORES_TAG, scores_of, scores_tag
from firth.tracking.evidence import PIECES
from firth.tracking.store import open_store
from firth.wordpiece.store import TokenStore

SURE = ("gate.bert.suites={mlm: {minimum: -9.0, max_loss: 0.02}}", "gate.bert.confidence=0.95")
SETTINGS = small_training(dropout=0.0, heldout=Looks(every=8, instances=40))


def trained(
    store: TokenStore, run: Path, sharpness: float, settings: Settings = SETTINGS, recorded: float = 0.0
) -> Pretrained:
    """A new model that guesses the pieces' frequencies to the power of `sharpness`, with its look at held-out text.

    `recorded` is added to the loss in its record.
    """
    found = pretrain(store, settings.model_copy(update={"steps": 1, "optimizer": _still()}), run, unwatched)
    with torch.no_grad():
        found.bert.model.mlm.bias.copy_(-sharpness * torch.from_numpy(unigram_losses(store.unigrams)))
    held = HeldOut.of(store, settings, HELDOUT_SEED)
    assert held is not None
    look = held.look(found.bert.model, Device("cpu", settings.precision))
    look["mlm_loss"] += recorded
    found.history[-1]["heldout"] = look
    found.metrics["heldout/mlm_gain"] = look["unigram_loss"] - look["mlm_loss"]
    return found


def _still() -> Any:
    return SETTINGS.optimizer.model_copy(update={"learning_rate": 1e-9, "warmup_steps": 0})


class Fables:
    """A project of `ScoredProject` whose BERT and token store are real."""

    def __init__(self, project: ScoredProject, settings: Settings = SETTINGS) -> None:
        self.project, self.root, self.settings, self.runs = project, project.root, settings, 0
        project.pretrain(1)
        shutil.rmtree(self.root / PIECES)
        self.store = fable_store(self.root / PIECES, heldout=6)

    def train(self, sharpness: float, recorded: float = 0.0) -> None:
        """Another training's outputs, as the stage `bert` writes them."""
        self.runs += 1
        settings = self.settings.model_copy(update={"seed": self.runs})
        found = trained(self.store, self.root / ".firth" / "runs" / str(self.runs), sharpness, settings, recorded)
        write_outputs(self.root / "data" / "models" / "bert", Identity.of(self.store, settings), found)
        write_json(self.root / "data" / "metrics" / "bert.json", found.metrics)

    def promote(self) -> Promotion:
        (promotion,) = promote_all(self.root, ["bert"])
        return promotion


@pytest.fixture
def fables(project: ScoredProject) -> Fables:
    return Fables(project)


def by_hand(bert: Bert, store: TokenStore, settings: Settings) -> list[tuple[float, int]]:
    """One instance at a time, neither packed nor padded."""
    text = Text.of(store.heldout)
    instances = Instances(text, store.tokenizer, settings, HELDOUT_SEED, settings.next_sentence)
    found = []
    for number in range(min(settings.heldout.instances, len(instances.plan(0)))):
        batch = instances.batch(instances.choose(0, np.array([number])))
        with torch.no_grad():
            logits = bert.model(batch.ids, batch.segments, batch.mask, batch.predicted, batch.causal).mlm
        nats = torch.nn.functional.cross_entropy(logits, batch.masked_lm_labels, reduction="sum")
        found.append((float(nats), len(batch.predicted)))
    return found


@pytest.mark.parametrize("change", [{}, {"next_sentence": False}, {"objective": "left_to_right"}])
def test_it_is_what_each_instance_costs_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    settings = small_training(steps=6, **change)
    store = fable_store(tmp_path / PIECES)
    found = pretrain(store, settings, tmp_path / "run", unwatched)
    folder = tmp_path / "model"
    write_outputs(folder, Identity.of(store, settings), found)
    singles = of_folder(tmp_path, folder, settings, "d", "it")
    alone = by_hand(found.bert, store, settings)
    assert len(alone) > 5
    np.testing.assert_allclose(sorted(in_order(singles)), sorted(map(list, alone)), rtol=1e-4)
    look = found.history[-1]["heldout"]
    assert sum(words for _, words in in_order(singles)) == look["predictions"]
    assert scores([singles])[0].score == pytest.approx(-look["mlm_loss"], abs=1e-5)
    assert singles.seeds == (pytest.approx(-look["mlm_loss"], abs=1e-5),)


def told(*losses: float, words: int = 5, dev: str = "d") -> Singles:
    return Singles("mlm", dev, (0.0,), {str(number): [loss, words] for number, loss in enumerate(losses)})


def test_the_noise_is_what_resampling_by_hand_finds() -> None:
    rng = np.random.default_rng(2)
    words, theirs = rng.integers(1, 9, 60), rng.normal(20.0, 6.0, 60)
    ours = theirs - rng.normal(0.3, 3.0, 60)
    made = [
        Singles("mlm", "d", (0.0,), {str(at): [loss, int(words[at])] for at, loss in enumerate(losses)})
        for losses in (ours, theirs)
    ]
    picks = np.random.default_rng(7).integers(0, 60, (20_000, 60))
    gains = (theirs - ours)[picks].sum(axis=1) / words[picks].sum(axis=1)
    for least in (0.0, 0.05):
        found = noise_of_gain(Path(), *made, least)
        assert found.gained == pytest.approx((gains >= least).mean(), abs=0.015)
        assert 0.05 < found.gained < 0.95
    assert found.over == "60 held-out instances"
    same = told(*range(1, 61))
    assert noise_of_gain(Path(), same, same, 0.0).gained == 0.0
    for other in (told(*range(1, 61), dev="e"), told(1.0)):
        with pytest.raises(DataError, match="not of the same held-out instances"):
            noise_of_gain(Path(), same, other, 0.0)


@pytest.mark.slow
def test_a_gain_that_may_be_chance_is_refused_and_one_beyond_it_promoted(fables: Fables) -> None:
    fables.project.change(*SURE)
    fables.train(0.3)
    assert fables.promote().decision.reasons == ("first champion: every minimum is reached",)
    store = open_store(fables.root)
    first = kept(store, store.client.get_model_version("bert", "1"), "mlm")
    assert first is not None
    assert len(first.predicted) > 10

    fables.train(0.33)
    refused = fables.promote()
    assert refused.champion == "1"
    (reason,) = refused.decision.reasons
    assert reason.startswith("mlm changed by +0.0")
    assert f" of 10,000 resamples of {len(first.predicted)} held-out instances: may be chance, 95% are" in reason
    assert " nats (" in reason

    fables.train(0.9)
    promoted = fables.promote()
    assert (promoted.decision.verdict, promoted.champion) == ("promoted", "3")
    found = f"10,000 resamples of {len(first.predicted)} held-out instances; nothing fell by more than is allowed"
    said = rf"mlm rose from \S+ to \S+ \(\+\S+ nats\), a gain in (9[5-9]\S*|100)% of {found}"
    assert re.fullmatch(said, promoted.decision.reasons[0])


@pytest.mark.slow
def test_a_champion_without_losses_is_asked_again_and_nobody_twice(
    fables: Fables, monkeypatch: pytest.MonkeyPatch
) -> None:
    fables.project.change(*SURE[:1])
    fables.train(0.2)
    fables.promote()
    store = open_store(fables.root)
    versions = store.client.get_model_version
    assert kept(store, versions("bert", "1"), "mlm") is None, "nobody asked for a confidence"
    fables.project.change(SURE[1])
    fables.train(0.1)
    assert fables.promote().champion == "1"
    losses = [kept(store, versions("bert", number), "mlm") for number in ("1", "2")]
    assert all(losses)
    assert losses[0].predicted != losses[1].predicted  # type: ignore[union-attr]

    asked: list[str] = []
    inner = heldout_singles.of_folder
    monkeypatch.setattr(heldout_singles, "of_folder", lambda *given: asked.append(given[-1]) or inner(*given))
    assert fables.promote().champion == "1"
    assert asked == []
    fables.settings = fables.settings.model_copy(update={"heldout": Looks(every=8, instances=20)})
    fables.train(0.3)
    assert "number of held-out instances" in fables.promote().decision.reasons[0]
    assert asked == ["bert version 3"], "the champion's loss is of other instances: it is not compared"


@pytest.mark.slow
def test_losses_that_are_not_those_of_the_record_are_an_error(fables: Fables) -> None:
    fables.project.change(*SURE)
    fables.train(0.5, recorded=-0.01)
    with pytest.raises(
        IntegrityError,
        match=r"bert version 1: its history\.json records a held-out loss of \S+ nats on \d+ words of \d+ instances, "
        r"and its weights have a held-out loss of .* set gate\.bert\.confidence to null",
    ):
        fables.promote()
    assert set(open_store(fables.root).client.get_registered_model("bert").aliases) == {"challenger"}


@pytest.mark.slow
def test_a_model_that_was_not_measured_is_refused_as_ever(fables: Fables) -> None:
    fables.project.change(*SURE)
    fables.train(0.5)
    write_json(fables.root / "data" / "metrics" / "bert.json", {})
    assert fables.promote().decision.reasons == ("mlm was not measured",)
    fables.train(0.6)
    fables.promote()
    store = open_store(fables.root)
    champion = store.client.get_model_version("bert", "2")
    held = scores_of(champion)
    unmeasured = Scores({"mlm": {"score": None}}, held.conditions, held.validation)
    store.client.set_model_version_tag("bert", "2", SCORES_TAG, scores_tag(unmeasured))
    fables.train(0.7)
    assert "the champion has no score on mlm" in fables.promote().decision.reasons[0]


def test_bf16_is_asked_again_in_fp32_and_close_enough(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"precision": "bf16"})
    store = fable_store(tmp_path / PIECES)
    found = trained(store, tmp_path / "run", 1.0, settings)
    write_outputs(tmp_path / "model", Identity.of(store, settings), found)
    (score,) = scores([of_folder(tmp_path, tmp_path / "model", settings, "d", "it")])
    assert -score.score != found.history[-1]["heldout"]["mlm_loss"]
    history = read_json(tmp_path / "model" / "history.json")
    history[-1]["heldout"]["mlm_loss"] += 0.03
    write_json(tmp_path / "model" / "history.json", history)
    with pytest.raises(IntegrityError, match="it: its history"):
        of_folder(tmp_path, tmp_path / "model", settings, "d", "it")
