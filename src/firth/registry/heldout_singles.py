"""What a BERT's words of the held-out text cost it, instance by instance: the suite `mlm`'s part of `registry.singles`.

The stage `bert` records their mean alone. The instances and the words that are asked for are a function of text and
settings (`bert.pretraining.evaluation`), so the same ones are put to the stored weights again, in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firth.canonical import read_json, value_sha256
from firth.config.bert import Bert as Settings
from firth.errors import DataError, IntegrityError
from firth.progress import Meter
from firth.registry.candidate import Candidate
from firth.registry.singles import Singles, in_order, keep, kept
from firth.tasks.measures.measures import Counts, Measure, Score, mean_of
from firth.tracking.evidence import MLM, PIECES
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from firth.bert.folder import Bert
    from firth.bert.pretraining.evaluation import HeldOut

TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}
"""Nats by which the mean may differ from the one that was recorded in this precision, perhaps on other hardware."""


def tell(store: Store, root: Path, candidate: Candidate, version: ModelVersion, folder: Path) -> None:
    """See to it that the losses of `version`, whose model lies in `folder`, are kept on its run.

    They are of the instances that `candidate` was measured on, from the token store in `root`.

    Raises:
        IntegrityError: their mean is not the loss that the training recorded.
    """
    asked = value_sha256(candidate.scores.conditions[MLM])
    told = kept(store, version, MLM)
    if told is None or told.dev != asked:
        settings = Settings.model_validate(candidate.params)
        keep(store, version, of_folder(root, folder, settings, asked, f"{version.name} version {version.version}"))


def of_folder(root: Path, folder: Path, settings: Settings, asked: str, name: str) -> Singles:
    """Of the model `name` in `folder`: by instance the summed loss of its words, and how many these are.

    Args:
        root: the project folder, with the token store.
        folder: a model folder with the records of its training.
        settings: how instances are made.
        asked: digest of what two scores must have in common.
        name: what messages call it.
    """
    from firth.bert.pretraining.evaluation import HeldOut
    from firth.bert.pretraining.loop import HELDOUT_SEED
    from firth.encode.load import load_model
    from firth.wordpiece.store import TokenStore

    held = HeldOut.of(TokenStore.open(root / PIECES), settings, HELDOUT_SEED)
    if held is None:
        raise DataError("no held-out text", root / PIECES)
    losses = _losses(load_model(folder), held, settings, f"{name}, held-out words")
    total, words = losses.sum(axis=0)
    _check(folder, {"mlm_loss": total / words, "predictions": int(words), "instances": len(losses)}, name)
    answers = {str(number): [loss, int(count)] for number, (loss, count) in enumerate(losses.tolist())}
    return Singles(MLM, asked, (-total / words,), answers)


def scores(answered: Sequence[Singles]) -> list[Score]:
    """Of each of `answered` the mean loss of a word, negative: more is better.

    Raises:
        DataError: they are not of the same instances.
    """
    if len({(singles.dev, len(singles.predicted)) for singles in answered}) > 1:
        raise DataError("the losses of the two models are not of the same held-out instances", PIECES)
    return [Measure(np.array(in_order(singles)) * (-1.0, 1.0), mean_of) for singles in answered]


def _losses(bert: Bert, held: HeldOut, settings: Settings, title: str) -> Counts:
    """(instances, 2): summed loss and number of the words that are asked for."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    from firth.bert.pretraining.device import Device

    device = Device.of(settings.model_copy(update={"accelerator": "auto", "precision": "fp32", "devices": 1}))
    model, found = bert.model.to(device.kind), []
    instances = sum(batch.instances for batch in held.batches)
    with (
        device.reproducible(torch.get_num_threads()),
        torch.inference_mode(),
        Meter(title, instances, "instances") as meter,
    ):
        for batch in map(device.moved, held.batches):
            logits = model.packed(batch.ids, batch.segments, batch.layout, batch.predicted).mlm
            losses = F.cross_entropy(logits, batch.masked_lm_labels, reduction="none").double().cpu().numpy()
            ends = batch.layout.offsets[1:].cpu().numpy()
            owner = np.searchsorted(ends, batch.predicted.cpu().numpy(), side="right")
            sums = (np.bincount(owner, part, batch.instances) for part in (losses, None))
            found.append(np.stack(list(sums), axis=1).astype(np.float64))
            meter.advance(batch.instances)
    return np.concatenate(found)


def _check(folder: Path, found: Mapping[str, Any], name: str) -> None:
    """Against the training's last look at held-out text."""
    from firth.bert.pretraining.outputs import HISTORY, TRAINING

    look = [row["heldout"] for row in read_json(folder / HISTORY) if row.get("heldout")][-1]
    within = TOLERANCE[read_json(folder / TRAINING)["params"].get("precision", "fp32")]
    same = all(found[key] == look[key] for key in ("predictions", "instances"))
    if same and abs(found["mlm_loss"] - look["mlm_loss"]) <= within:
        return
    raise IntegrityError(
        f"{name}: its {HISTORY} records {_said(look)}, and its weights have {_said(found)}: one of them is not this "
        "training's, or Firth has made its instances otherwise; train it again, or set gate.bert.confidence to null"
    )


def _said(look: Mapping[str, Any]) -> str:
    loss, words, instances = look["mlm_loss"], look["predictions"], look["instances"]
    return f"a held-out loss of {loss:.4f} nats on {words} words of {instances} instances"
