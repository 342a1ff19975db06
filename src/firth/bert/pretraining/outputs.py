"""What a finished pretraining leaves: a model folder with `training.json` and `history.json`.

A training by the clock leaves `schedule.safetensors` too: the rate of each step, by which `replay` repeats it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

import firth
from firth.bert.folder import is_model_folder, save, whole_folder
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.loop import Pretrained
from firth.canonical import read_json, write_json
from firth.errors import IntegrityError

TRAINING, HISTORY, SCHEDULE = "training.json", "history.json", "schedule.safetensors"

RATES = "learning_rate"
"""In the schedule: (steps,) float64."""


def write_outputs(
    folder: Path,
    identity: Identity,
    trained: Pretrained,
    replaced: Callable[[Path], bool] = is_model_folder,
) -> None:
    """Write the model folder, complete or not at all.

    Raises:
        FirthError: `folder` is not empty and `replaced` is not true of it.
    """
    architecture = trained.bert.model.architecture
    with whole_folder(folder, replaced) as part:
        save(part, trained.bert)
        write_json(part / HISTORY, trained.history)
        if trained.rates is not None:
            save_file({RATES: trained.rates}, part / SCHEDULE)
        write_json(
            part / TRAINING,
            {
                "stage": identity.stage,
                "fingerprint": identity.fingerprint,
                "params": identity.params,
                "inputs": identity.inputs,
                "architecture": asdict(architecture),
                "parameters": architecture.parameters(),
                "tokens": trained.tokens,
                "steps": trained.steps,
                "firth_version": firth.__version__,
            },
        )


def is_result_of(folder: Path, identity: Identity) -> bool:
    """Whether `folder` is what this very training wrote."""
    try:
        training: Any = read_json(folder / TRAINING)
    except IntegrityError:
        return False
    return is_model_folder(folder) and training.get("fingerprint") == identity.fingerprint
