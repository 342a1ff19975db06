"""`bert`: pretrain on data/tokens/pieces into data/models/bert."""

from __future__ import annotations

from pathlib import Path

from firth.bert.folder import Bert
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.outputs import write_outputs
from firth.bert.pretraining.train import follow, pretrain
from firth.canonical import write_json
from firth.config import load_params
from firth.encode.load import folder_digest, load_model
from firth.errors import ConfigError, IntegrityError
from firth.project import run_folder
from firth.stages.run import run_stage
from firth.tracking.runs import training_run
from firth.training.place import place_of
from firth.wordpiece.store import TokenStore

STORE = Path("data/tokens/pieces")
MODEL = Path("data/models/bert")
METRICS = Path("data/metrics/bert.json")


def main(argv: list[str]) -> None:
    """No arguments."""
    if argv:
        raise ConfigError(f"bert takes no arguments, found {' '.join(argv)}")
    settings = load_params(Path("params.yaml")).bert
    place = place_of(settings.devices)
    if not place.first:  # started beside the first one, by torchrun or srun
        follow(TokenStore.open(STORE), settings, place)
        return
    init = _init(settings.init, settings.init_sha256) if settings.init else None
    store = TokenStore.open(STORE)
    identity = Identity.of(store, settings, settings.init_sha256)
    folder = run_folder(identity.stage, identity.fingerprint)
    with training_run(identity.stage, identity.fingerprint, identity.params, identity.inputs, folder) as run:
        trained = pretrain(store, settings, folder, lambda step, metrics: run.log(metrics, step), init)
    write_outputs(MODEL, identity, trained)
    write_json(METRICS, trained.metrics)


def _init(name: str, sha256: str) -> Bert:
    found = folder_digest(Path(name))
    if found != sha256:
        raise IntegrityError(
            f"{name}: its weights are not those that bert.init_sha256 names; their sha256 is {found}"
        )  # fmt: skip
    return load_model(Path(name))


if __name__ == "__main__":
    run_stage(main)
