"""What fits into memory: a message where something does not, and a search for the largest micro batch that does.

Each try of the search is a process of its own, which makes two updates from the longest instances of the text: the
second has the optimizer's moments beside everything else. A try that the system ends for want of memory has failed
like one that was refused memory.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firth.bert.architecture import Architecture
from firth.bert.data.packing import PackedBatch, pack
from firth.bert.data.steps import Phase, Steps
from firth.bert.data.text import Text
from firth.bert.model import Pretraining
from firth.bert.optimizers.optimizer import make_optimizer
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.losses import pretraining_losses
from firth.bert.pretraining.meters import memory_in_use
from firth.config.bert import Bert
from firth.errors import FirthError
from firth.wordpiece.store import TokenStore

TOO_LARGE = 3
"""Exit code of a try that did not get its memory."""

LOOKED_AT = 4096
"""Instances among which the longest are looked for."""

REFUSALS = (
    "can't allocate memory", "not enough memory", "cannot allocate memory", "out of memory", "bad_alloc",
    "cublas_status_alloc_failed",
)  # fmt: skip
"""What messages of torch, of C++ and of the system say where memory was refused."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory was refused: by the GPU, by torch on a CPU, by numpy or by the system."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError | OSError) and any(refusal in said for refusal in REFUSALS)


@contextmanager
def memory_explained(settings: Bert, device: Device) -> Iterator[None]:
    """Within the block, memory that is refused is a `FirthError` that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        raise FirthError(_advice(settings, device)) from error


def largest_micro_batch(
    store: TokenStore, settings: Bert, architecture: Architecture | None = None, phase: int = 0
) -> int:
    """The largest of the batch, its half, its quarter … with which a step fits into memory.

    Args:
        store: the text.
        settings: of the training; its micro batches are not looked at.
        architecture: of a model to go on from; by default that of the settings' size.
        phase: 0, or 1 for the second phase.

    Raises:
        FirthError: not even one instance fits, or a try failed for another reason.
    """
    batch = settings.second_phase.batch or settings.batch if phase else settings.batch
    shape = architecture or Architecture.of(settings.size, len(store.tokenizer), settings.positions, settings.dropout)
    for micro in candidates(batch, settings.devices):
        fits = _fits(store.folder, settings, shape, phase, micro)
        print(f"bert: {micro} sequences at once {'fit' if fits else 'do not fit'}", file=sys.stderr, flush=True)
        if fits:
            return micro
    raise FirthError("bert: not even one sequence fits into memory; lower bert.length or bert.size")


def candidates(batch: int, devices: int = 1) -> list[int]:
    """Divisors of `batch` by halving, at last 1, of what one of `devices` has to do at most."""
    found = [batch]
    while found[-1] % 2 == 0:
        found.append(found[-1] // 2)
    return [size for size in dict.fromkeys([*found, 1]) if size <= -(-batch // devices)]


def longest_batch(phase: Phase, first_epoch: int, rows: int) -> PackedBatch:
    """A micro batch of the phase's longest instances, some of them more than once if need be."""
    plan = phase.instances.plan(first_epoch)
    chosen = phase.instances.choose(first_epoch, np.arange(min(max(LOOKED_AT, rows), len(plan)), dtype=np.int64))
    longest_first = np.argsort(-(chosen.spans[:, 1] + chosen.spans[:, 3]), kind="stable")
    rows_of = np.resize(longest_first[: max(1, rows)], rows)
    return pack(phase.instances.batch(chosen.take(rows_of)), phase.capacity)


def try_updates(store: TokenStore, settings: Bert, architecture: Architecture, phase: int) -> None:
    """Two updates of a new model with micro batches of the settings' size."""
    device = Device.of(settings)
    with device.reproducible(settings.threads):
        model = Pretraining(architecture).to(device.kind).train()
        optimizer = make_optimizer(model, settings.optimizer)
        found = Steps(Text.of(store.train), store.tokenizer, settings).phases[phase]
        batch = device.moved(longest_batch(found, found.first.epoch, found.micro))
        forward = torch.compile(model.packed) if settings.compile else model.packed
        for _ in range(2):
            optimizer.zero_grad()
            with device.autocast():
                logits = forward(batch.ids, batch.segments, batch.layout, batch.predicted)
            mlm, nsp = pretraining_losses(logits, batch)
            (mlm + nsp).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if device.kind == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    """One try, in a process of its own: what to try stands on standard input."""
    asked: dict[str, Any] = json.load(sys.stdin)
    _first_to_go()
    try:
        store = TokenStore.open(Path(asked["store"]))
        try_updates(store, Bert(**asked["settings"]), Architecture(**asked["architecture"]), asked["phase"])
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(TOO_LARGE)


def _fits(store: Path, settings: Bert, architecture: Architecture, phase: int, micro: int) -> bool:
    tree = settings.model_dump() | {"init": "", "init_sha256": ""}
    if phase:
        tree["second_phase"]["micro_batch"] = micro
    else:
        tree["micro_batch"] = micro
        tree["second_phase"]["share"] = 0.0
    asked = {"store": str(store), "settings": tree, "architecture": asdict(architecture), "phase": phase}
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    aborted = done.returncode == -signal.SIGABRT and any(refusal in done.stderr.lower() for refusal in REFUSALS)
    if done.returncode in (TOO_LARGE, -signal.SIGKILL) or aborted:
        return False
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise FirthError(f"bert: a try with {micro} sequences at once failed: {last}")
    return True


def _first_to_go() -> None:
    """Where memory runs out, Linux shall end this process and no other."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000", encoding="ascii")


def _advice(settings: Bert, device: Device) -> str:
    second = settings.second_phase
    micro, length, names = settings.micro_batch or settings.batch, settings.length, "bert.micro_batch"
    if second.share:
        length, names = max(length, second.length), f"{names} and bert.second_phase.micro_batch"
    lower = f"lower {names} ({micro} sequences of up to {length} tokens go through the model at once), " * (micro > 1)
    return (
        f"bert: out of memory on {device.kind}, {memory_in_use(device)}; {lower}bert.length or bert.size; "
        "firth pretrain --find-micro-batch tells what fits; the last checkpoint is kept"
    )


if __name__ == "__main__":
    main()
