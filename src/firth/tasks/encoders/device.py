"""Where a BERT is read and fine-tuned in an evaluation, and in which precision."""

from __future__ import annotations

from typing import Literal

import torch

from firth.bert.pretraining.device import Device, say_slow_bfloat16
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
    kind: Literal["cpu", "cuda"] = "cuda" if available and settings.accelerator != "cpu" else "cpu"
    say_slow_bfloat16(kind, settings.precision, "evaluation.precision")
    return Device(kind, settings.precision)
