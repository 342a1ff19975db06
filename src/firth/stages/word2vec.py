"""`word2vec@M`: train model M on data/tokens/words into data/vectors/M."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

from firth.canonical import write_json
from firth.choices import ModelName
from firth.config import load_params
from firth.errors import ConfigError
from firth.project import run_folder
from firth.stages.run import run_stage
from firth.tokens.store import WordStore
from firth.tracking.runs import training_run
from firth.word2vec.outputs import write_outputs
from firth.word2vec.train import Identity, train

STORE = Path("data/tokens/words")
VECTORS = Path("data/vectors")
METRICS = Path("data/metrics")


def main(argv: list[str]) -> None:
    """One argument: the model, `skipgram` or `cbow`."""
    models: dict[str, ModelName] = {name: name for name in get_args(ModelName)}
    if len(argv) != 1 or argv[0] not in models:
        raise ConfigError(f"word2vec takes one model ({' or '.join(models)}), found {' '.join(argv) or 'none'}")
    model = models[argv[0]]
    settings = load_params(Path("params.yaml")).word2vec
    store = WordStore.open(STORE)
    identity = Identity.of(store, model, settings)
    folder = run_folder(identity.stage, identity.fingerprint)
    with training_run(identity.stage, identity.fingerprint, identity.params, identity.inputs, folder) as run:
        trained = train(store, model, settings, folder, lambda step, metrics: run.log(metrics, step))
    output = VECTORS / model
    shutil.rmtree(output, ignore_errors=True)
    write_outputs(output, identity, model, store.vocabulary, settings.subwords, trained)
    write_json(METRICS / f"word2vec-{model}.json", trained.metrics)


if __name__ == "__main__":
    run_stage(main)
