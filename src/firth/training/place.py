"""Which of several processes this one is: as torchrun or srun says, or the first of those that it starts itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from firth.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """One process among those of a training."""

    rank: int = 0
    count: int = 1
    local: int = 0
    """Its number on this machine."""
    neighbours: int = 1
    """Processes on this machine, itself included."""
    address: str = ""
    """HOST:PORT of the first process, or `env://` for torch's own variables; empty: nobody has started the others."""

    @property
    def first(self) -> bool:
        """Whether this is the process that keeps the checkpoints and speaks."""
        return self.rank == 0


def place_of(devices: int, environment: Mapping[str, str] | None = None) -> Place:
    """Where this process stands in a training on `devices` processes.

    Raises:
        ConfigError: another number of processes has been started, or it cannot be seen where the first one is.
    """
    environment = os.environ if environment is None else environment
    try:
        found = _of_torchrun(environment) or _of_srun(environment)
    except ValueError as error:
        raise ConfigError(f"the variables of torchrun or srun are not what they should be: {error}") from None
    if found is None or found.count == 1:
        return Place(0, devices, 0, devices)
    if found.count != devices:
        raise ConfigError(
            f"bert.devices is {devices}, but {found.count} processes have been started for this training; set it to "
            f"{found.count}, or start it once: it starts its other processes itself"
        )
    return found


def _of_torchrun(environment: Mapping[str, str]) -> Place | None:
    """Also of whatever else sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT."""
    if not {"RANK", "WORLD_SIZE"} <= environment.keys():
        return None
    count = int(environment["WORLD_SIZE"])
    if count > 1 and not {"MASTER_ADDR", "MASTER_PORT"} <= environment.keys():
        raise ValueError("RANK and WORLD_SIZE are set, MASTER_ADDR and MASTER_PORT are not")
    local, neighbours = environment.get("LOCAL_RANK", "0"), environment.get("LOCAL_WORLD_SIZE", "1")
    return Place(int(environment["RANK"]), count, int(local), int(neighbours), "env://")


def _of_srun(environment: Mapping[str, str]) -> Place | None:
    """Of a job step with several tasks; a batch script itself is none."""
    if not {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST", "SLURM_JOB_ID"} <= environment.keys():
        return None
    count, nodes = int(environment["SLURM_STEP_NUM_TASKS"]), int(environment.get("SLURM_STEP_NUM_NODES", "1"))
    if count == 1:
        return None
    host = environment.get("MASTER_ADDR") or _first_host(environment["SLURM_STEP_NODELIST"])
    step = int(environment.get("SLURM_STEP_ID", "0"))
    port = environment.get("MASTER_PORT") or str(15_000 + (int(environment["SLURM_JOB_ID"]) + step) % 10_000)
    local = int(environment.get("SLURM_LOCALID", "0"))
    return Place(int(environment["SLURM_PROCID"]), count, local, max(1, count // nodes), f"{host}:{port}")


def _first_host(nodes: str) -> str:
    """`gpu[03-05,9],cpu1` begins with gpu03."""
    name, bracket, rest = nodes.partition("[")
    if not bracket or "," in name:
        return nodes.split(",", maxsplit=1)[0]
    inside, _, after = rest.partition("]")
    suffix = after.split(",", maxsplit=1)[0]
    return f"{name}{inside.split(',')[0].split('-')[0]}{suffix}"
