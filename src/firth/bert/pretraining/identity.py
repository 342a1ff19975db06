"""Which pretraining this is: what its weights depend on."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from firth.config import bert as config
from firth.training.fingerprint import TrainingIdentity
from firth.wordpiece.store import TokenStore

CODE = ["bert", "training", "wordpiece"]
"""Packages whose code is part of a training's fingerprint."""


class Identity(TrainingIdentity):
    """Which training this is: same fingerprint, same weights (on one CPU family, with one build of torch)."""

    @classmethod
    def of(
        cls,
        store: TokenStore,
        settings: config.Bert,
        init_digest: str = "",
        rates: NDArray[np.float64] | None = None,
    ) -> Identity:
        """The identity of training on `store`, from the model of `init_digest` (sha256 of its weights) if there is one.

        Only parameters that the weights depend on are part of it: not where the model to go on from lies. With `rates`
        it is the training that repeats one by the clock.
        """
        params = settings.model_dump(exclude={"checkpoint_seconds", "keep", "price", "init", "init_sha256"})
        inputs = {"data/tokens/pieces": store.digest}
        if init_digest:
            inputs["bert.init"] = init_digest
        if rates is not None:
            inputs["bert.replay"] = hashlib.sha256(rates.astype("<f8").tobytes()).hexdigest()
        return cls.with_code("bert", params, inputs, CODE, {"vocabulary": store.tokenizer.sha256})
