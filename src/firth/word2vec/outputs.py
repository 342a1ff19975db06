"""What a training leaves behind: vectors, vocabulary, curve, and the record of how they came about."""

from __future__ import annotations

from pathlib import Path

import firth
from firth.canonical import write_json
from firth.choices import ModelName
from firth.config.word2vec import Subwords
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.matrix_files import save_matrices
from firth.word2vec.train import Identity, TrainedVectors

HISTORY, TRAINING = "history.json", "training.json"


def write_outputs(
    folder: Path,
    identity: Identity,
    model: ModelName,
    vocabulary: Vocabulary,
    subwords: Subwords,
    trained: TrainedVectors,
) -> None:
    """Write the four files of a folder of vectors; the same training gives the same bytes.

    A training that began with older vectors names their digest as `init` in `training.json`.
    """
    save_matrices(folder, vocabulary, trained.matrices, subwords)
    write_json(folder / HISTORY, trained.history)
    record = {
        "stage": identity.stage,
        "model": model,
        "fingerprint": identity.fingerprint,
        "params": identity.params,
        "vocabulary_sha256": vocabulary.sha256,
        "words": trained.words,
        "epochs": trained.epochs,
        "firth_version": firth.__version__,
    }
    if init := identity.inputs.get("init"):
        record["init"] = init
    write_json(folder / TRAINING, record)
