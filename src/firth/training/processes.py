"""What the processes of one training tell each other, beside gradients: counts, decisions, the state to go on from.

It all goes over gloo and the CPU, in few and small messages; a training of one process has no process group, and every
question is answered at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch.distributed import Store  # type: ignore[attr-defined]

from firth.errors import FirthError, PassingError
from firth.training.fingerprint import TrainingIdentity
from firth.training.place import Place

Array = NDArray[Any]

Meeting: TypeAlias = Store
"""Where processes meet."""

TIMEOUT_SECONDS = 300.0
"""How long a process waits for another one that is alive and does not answer."""


class LostProcessError(PassingError):
    """Another process of the training has gone: what was saved can be gone on from."""


class Processes:
    """The processes of one training, as one of them sees them; made by `joined`, or alone by default."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()
        self.rank, self.count, self.first = self.place.rank, self.place.count, self.place.first

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each of `values`, summed over all processes; whole numbers below 2**53 stay whole."""
        return self._reduced(values, dist.ReduceOp.SUM) if self.count > 1 else list(values)

    def agree(self, firsts: Sequence[float], anyone: bool) -> tuple[list[float], bool]:
        """Numbers (not negative) as the first process has them, and whether `anyone` is true of any process."""
        if self.count == 1:
            return list(firsts), anyone
        own = [value if self.first else 0.0 for value in firsts]
        *agreed, one = self._reduced([*own, float(anyone)], dist.ReduceOp.MAX)
        return agreed, one > 0.0

    def tell(self, value: Any) -> Any:
        """The first process's `value`, which must be JSON, for all."""
        if self.count == 1:
            return value
        encoded = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)
        (size,), _ = self.agree([float(len(encoded))], False)
        message = torch.from_numpy(encoded.copy()) if self.first else torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(message, 0)
        return json.loads(message.numpy().tobytes())

    def tell_arrays(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The first process's `arrays`, for all."""
        if self.count == 1:
            return dict(arrays)
        shapes = self.tell({name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()})
        found = {}
        for name, (dtype, shape) in shapes.items():
            found[name] = np.ascontiguousarray(arrays[name]) if self.first else np.empty(shape, np.dtype(dtype))
            flat = found[name].reshape(-1).view(np.uint8)
            dist.broadcast(torch.from_numpy(flat if flat.flags.writeable else flat.copy()), 0)
        return found

    def told_once(self, error: Exception) -> BaseException:
        """What to raise where all processes meet the same `error`: only the first one tells of it."""
        return error if self.first else SystemExit(1)

    def _reduced(self, values: Sequence[float], how: Any) -> list[float]:
        message = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(message, how)
        found: list[float] = message.tolist()
        return found


@contextmanager
def joined(place: Place, kind: str, store: Meeting | None = None) -> Iterator[Processes]:
    """The processes of a training, in one group for as long as the block lasts; `kind` is `cpu` or `cuda`.

    `store` is where they meet; by default the first one's address.

    Raises:
        LostProcessError: one of the others has gone, or did not answer for `TIMEOUT_SECONDS`.
    """
    if place.count == 1:
        yield Processes(place)
        return
    timeout = timedelta(seconds=TIMEOUT_SECONDS)
    try:
        _join(place, "gloo" if kind == "cpu" else "cpu:gloo,cuda:nccl", store, timeout)
        yield Processes(place)
    except (RuntimeError, dist.DistError) as error:
        if not _is_lost(error):
            raise
        raise LostProcessError(
            f"process {place.rank + 1} of {place.count} has lost another one of the training: {_first_line(error)}"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def compare(identity: TrainingIdentity, processes: Processes) -> None:
    """Raise a `FirthError` unless all processes are at the same training: same data, settings and code."""
    if processes.tell(identity.fingerprint) != identity.fingerprint:
        raise FirthError(
            f"process {processes.rank + 1} of {processes.count} is at another training than the first one: its data, "
            "its params.yaml or its firth differs"
        )


def here(rank: int) -> str:
    """What is set in a `Meeting` by a process that is about to join."""
    return f"process {rank} is here"


def _join(place: Place, backend: str, store: Meeting | None, timeout: timedelta) -> None:
    if store is not None:
        store.set(here(place.rank), "")
        dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.count, timeout=timeout)
    elif place.address == "env://":
        dist.init_process_group(backend, init_method="env://", timeout=timeout)
    else:
        where = f"tcp://{place.address}"
        dist.init_process_group(
            backend, init_method=where, rank=place.rank, world_size=place.count, timeout=timeout
        )  # fmt: skip


def _is_lost(error: BaseException) -> bool:
    """Whether it is not ours: gloo raises plain RuntimeErrors that name its source file or the connection."""
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in text for word in ("gloo", "nccl", "connection", "timed out", "application timeout")
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
