"""A pretraining's model where several processes train it: the same in all of them, or a part of it in each."""

from __future__ import annotations

from dataclasses import asdict

import torch

from firth.bert.architecture import Architecture
from firth.bert.data.shares import Counts
from firth.bert.data.steps import Step
from firth.bert.model import Pretraining
from firth.bert.pretraining.device import Device
from firth.config.bert import Bert
from firth.training.checkpoint import Checkpoint
from firth.training.parts import share_out, whole
from firth.training.processes import Array, Processes


def is_shared_out(settings: Bert) -> bool:
    """Whether each process holds only a part of the model."""
    return settings.strategy == "fsdp" and settings.devices > 1


def placed(model: Pretraining | None, settings: Bert, device: Device, processes: Processes) -> Pretraining:
    """The first process's `model`, which the others do not have, on the device of each, held as the strategy says."""
    told = processes.tell(None if model is None else asdict(model.architecture))
    if model is None:
        model = Pretraining(Architecture(**told))
    if processes.count > 1:
        arrays = processes.tell_arrays(weights_of(model) if processes.first else {})
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(arrays[name]))
    model = model.to(device.kind).train()
    if is_shared_out(settings):
        from torch.distributed.device_mesh import init_device_mesh

        share_out(model, list(model.encoder.layers), init_device_mesh(device.kind, (processes.count,)), ["packed"])
    return model


def weights_of(model: Pretraining) -> dict[str, Array]:
    """The whole weights by name; where they are shared out, all processes must ask."""
    return {name: whole(parameter.detach()).cpu().numpy() for name, parameter in model.named_parameters()}


def trained_model(model: Pretraining, settings: Bert) -> Pretraining:
    """`model` as it leaves the training: whole, on the CPU, without dropout."""
    if is_shared_out(settings):
        weights = {name: torch.from_numpy(array.copy()) for name, array in weights_of(model).items()}
        model = Pretraining(model.architecture)
        model.load_state_dict(weights)
    return model.to("cpu").eval()


def told(checkpoint: Checkpoint | None, processes: Processes) -> Checkpoint | None:
    """The first process's `checkpoint`, for all."""
    if processes.count == 1:
        return checkpoint
    found = processes.tell(None if checkpoint is None else [checkpoint.step, checkpoint.state])
    if found is None:
        return None
    arrays = processes.tell_arrays({} if checkpoint is None else checkpoint.arrays)
    return Checkpoint(found[0], arrays, found[1])


def counted(step: Step, processes: Processes) -> Step:
    """`step`, which knows what all shares of it hold together."""
    if processes.count == 1:
        return step
    return step._replace(whole=Counts(*map(int, processes.sum(step.counts))))
