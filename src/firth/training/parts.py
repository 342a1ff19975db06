"""Parameters of which each process holds a part (FSDP), and the whole of them.

A parameter that is held whole is returned as it is: nothing here costs a training of one process anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def share_out(model: nn.Module, layers: list[nn.Module], mesh: DeviceMesh, methods: list[str]) -> None:
    """Leave each process of `mesh` a part of `model`; a whole layer is there only while it computes.

    Args:
        model: the same weights in every process.
        layers: what is gathered by itself; the rest of the model is gathered together.
        mesh: one dimension, all processes.
        methods: those of `model`, beside `forward`, that compute.
    """
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for method in methods:
        register_fsdp_forward_method(model, method)


def put_away(model: nn.Module) -> None:
    """Leave `model` in parts again: after a pass without gradients what is outside its layers is still gathered."""
    reshard = getattr(model, "reshard", None)
    if reshard is not None:
        reshard()


def whole(tensor: Tensor) -> Tensor:
    """All of `tensor`, gathered from every process's part if need be: then all of them must call this."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def held_like(parameter: Tensor, value: Tensor) -> Tensor:
    """`value`, the same in every process, held as `parameter` is: whole, or this process's part, on its device."""
    value = value.to(parameter.device)
    mesh = getattr(parameter, "device_mesh", None)
    if mesh is None:
        return value
    from torch.distributed.tensor import distribute_tensor

    placements = parameter.placements  # type: ignore[attr-defined]
    with torch.no_grad():
        return distribute_tensor(value, mesh, placements, src_data_rank=None)
