"""Where a BERT is read and fine-tuned in an evaluation, and in which precision."""

from __future__ import annotations

import torch

from firth.bert.pretraining.device import Device
from firth.config.usages import Evaluation
from firth.errors import ConfigError

CPU = Device("cpu", "fp32")


def device_of(settings: Evaluation) -> Device:
    """What `evaluation.accelerator` means on this machine, with `evaluation.precision`.

    Raises:
        ConfigError: it asks for a GPU, and there is none.
    """
    available = torch.cuda.is_available()
    if settings.accelerator == "cuda" and not available:
        raise ConfigError("evaluation.accelerator is cuda, but torch finds no CUDA device here; set it to cpu or auto")
    return Device("cuda" if available and settings.accelerator != "cpu" else "cpu", settings.precision)
