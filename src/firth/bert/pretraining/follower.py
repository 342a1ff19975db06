"""A pretraining's second process and those behind it, on the machine of the first: this module is what they run."""

from __future__ import annotations

import sys
from pathlib import Path

from firth.bert.pretraining.train import follow
from firth.config.bert import Bert
from firth.errors import FirthError
from firth.training.followers import met, received
from firth.training.place import Place
from firth.training.signals import leave, stop_on_sigterm
from firth.wordpiece.store import TokenStore


def main() -> None:
    """The task is on standard input: a token store's folder and settings."""
    task = received(sys.stdin.buffer)
    place = Place(task["rank"], task["count"], task["rank"], task["count"])
    try:
        with stop_on_sigterm() as stop:
            store = TokenStore.open(Path(task["store"]))
        if stop.requested:
            leave()
        follow(store, Bert.model_validate(task["settings"]), place, met(task))
    except FirthError as error:
        print(f"process {place.rank + 1} of {place.count}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
