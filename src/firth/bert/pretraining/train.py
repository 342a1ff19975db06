"""Pretraining from a token store to a model, in one process or several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.bert.folder import Bert
from firth.bert.pretraining.curve import OnMetrics
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.fitting import memory_explained
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.loop import Pretrained, Training
from firth.config import bert as config
from firth.errors import DataError
from firth.training.followers import followers
from firth.training.lock import run_lock
from firth.training.place import Place, place_of
from firth.training.processes import LostProcessError, Meeting, Processes, joined
from firth.training.signals import StopRequest, leave, stop_on_sigterm
from firth.wordpiece.store import TokenStore


def pretrain(
    store: TokenStore,
    settings: config.Bert,
    run_folder: Path,
    on_metrics: OnMetrics,
    init: Bert | None = None,
    init_digest: str = "",
    rates: NDArray[np.float64] | None = None,
) -> Pretrained:
    """Train a model on `store`, going on from the newest checkpoint in `run_folder` if there is one.

    A training that was broken off and goes on ends with the same bytes as an unbroken one (on a CPU). By the clock
    (`minutes`) no two are the same; but one with the `rates` that another recorded has that one's bytes.

    Args:
        store: the tokens.
        settings: all of the training; `init` and `init_sha256` in it are the caller's to read and check.
        run_folder: checkpoints and metrics; one process at a time uses it, a second one waits.
        on_metrics: called for each row of the history.
        init: a model to go on from, in place of new weights.
        init_digest: sha256 of its weights, part of the training's identity; by default that of the settings.
        rates: (steps,), of a training by the clock that is repeated step by step.

    Raises:
        DataError: nothing to train on, or one document only where next sentences are to be predicted.
        ConfigError: a device that is not there; a model to go on from that does not fit.
        IntegrityError: the ids do not fit the vocabulary, or the checkpoint is another training's.
        FirthError: a loss or a gradient is not finite, memory or disk is full; the last good checkpoint stays.
        LostProcessError: one of several processes has gone.
        SystemExit: 143, after SIGTERM and a checkpoint; 0 in a process that was started beside the first one.
    """
    place = place_of(settings.devices)
    if not place.first:
        follow(store, settings, place)
        raise SystemExit(0)
    if store.train.tokens == 0:
        raise DataError("the training side of the token store is empty", store.folder)
    identity = Identity.of(store, settings, (init_digest or settings.init_sha256) if init else "", rates)
    device = Device.of(settings, place)
    with (
        run_lock(run_folder),
        stop_on_sigterm() as stop,
        device.reproducible(settings.threads),
        _together(store, settings, place, device, stop) as processes,
        memory_explained(settings, device),
    ):
        return Training(store, settings, run_folder, on_metrics, init, identity, device, stop, rates, processes).run()


def follow(store: TokenStore, settings: config.Bert, place: Place, meeting: Meeting | None = None) -> None:
    """Take part in a training whose first process is another one: met in `meeting`, or at the place's address.

    Raises as `pretrain`.
    """
    identity = Identity.of(store, settings)
    device = Device.of(settings, place)
    with (
        stop_on_sigterm() as stop,
        device.reproducible(settings.threads),
        joined(place, device.kind, meeting) as processes,
        memory_explained(settings, device),
    ):
        Training(store, settings, None, lambda *_: None, None, identity, device, stop, None, processes).run()


@contextmanager
def _together(
    store: TokenStore, settings: config.Bert, place: Place, device: Device, stop: StopRequest
) -> Iterator[Processes]:
    """The training's processes; unless somebody else has done so, the others are started."""
    try:
        with ExitStack() as stack:
            meeting = None
            if place.count > 1 and not place.address:
                task = {"store": str(store.folder.resolve()), "settings": settings.model_dump(mode="json")}
                meeting = stack.enter_context(followers("firth.bert.pretraining.follower", task, place.count))
            yield stack.enter_context(joined(place, device.kind, meeting))
    except LostProcessError:
        if stop.requested:  # all of them were told to end, and one was not yet, or no longer, able to wait
            leave()
        raise
