"""Golden losses: of the first 200 steps of trainings on the fables, kept in `tests/golden`.

    make golden     # writes them anew, after a change that is meant to change them

What is trained, in what order, from which weights, by which rates and with which dropout all shows in them; a change of
any of these that nobody meant is found here, and the step at which it begins.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
from tests.support.fables import fable_store, fables, small_training

from firth.bert.pretraining import loop
from firth.bert.pretraining.train import pretrain
from firth.choices import ModelName
from firth.config.bert import HeldOut, Optimizer
from firth.config.word2vec import Recipe, Word2Vec
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engines import make_engine
from firth.word2vec.schedule import Schedule, train_block

FOLDER = Path(__file__).parents[1] / "golden"
STEPS = 200
DIGITS = 6

Losses = dict[str, list[float]]
"""Curves by name, one number a step."""


def bert() -> Losses:
    """The smallest BERT, both tasks, dropout 0.1, float32, one thread: mean losses of each step."""
    settings = small_training(
        steps=STEPS, micro_batch=4, optimizer=Optimizer(learning_rate=2e-3, warmup_steps=20),
        heldout=HeldOut(every=STEPS, instances=16), checkpoint_seconds=1e9,
    )  # fmt: skip
    curves: Losses = {"masked words": [], "next sentences": []}

    def note(_step: int, metrics: dict[str, float]) -> None:
        curves["masked words"].append(metrics["train/mlm_loss"])
        curves["next sentences"].append(metrics["train/nsp_loss"])

    with tempfile.TemporaryDirectory() as folder, patch.object(loop, "ROW_STEPS", 1):
        pretrain(fable_store(Path(folder) / "pieces"), settings, Path(folder) / "run", note)
    return curves


def word2vec(model: ModelName) -> Losses:
    """Dim 32, five noise words, one thread: the mean loss of each block of some 40 words."""
    sentences = [re.findall(r"[a-z]+", sentence.lower()) for fable in fables() for sentence in fable]
    words, counts = np.unique([word for sentence in sentences for word in sentence], return_counts=True)
    order = np.lexsort((words, -counts))
    vocabulary = Vocabulary(tuple(words[order].tolist()), counts[order])
    ids = {word: number for number, word in enumerate(vocabulary.words)}
    stream = np.array([n for sentence in sentences for n in (*(ids[w] for w in sentence), -1)], dtype=np.int32)
    recipe = Recipe(learning_rate=0.2, epochs=8)
    settings = Word2Vec(dim=32, sample=1e-2, skipgram=recipe, cbow=recipe)
    schedule = Schedule.of(stream, 40, recipe.epochs)
    engine = make_engine(model, vocabulary, settings)
    losses = [train_block(engine, stream, schedule, step).mean_loss for step in range(STEPS)]
    engine.close()
    return {model: losses}


TRAININGS: dict[str, Callable[[], Losses]] = {
    "bert": bert,
    "skipgram": lambda: word2vec("skipgram"),
    "cbow": lambda: word2vec("cbow"),
}


def golden(name: str) -> Losses:
    """The kept losses of a training."""
    kept: Losses = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return kept


def main() -> None:
    """Write the files of `TRAININGS`, or of those that are named."""
    for name in sys.argv[1:] or TRAININGS:
        rounded = {curve: [round(value, DIGITS) for value in found] for curve, found in TRAININGS[name]().items()}
        (FOLDER / f"{name}.json").write_text(json.dumps(rounded, indent=0) + "\n", encoding="utf-8")
        print(f"{FOLDER / name}.json:", *(f"{curve} {v[0]:.3f} to {v[-1]:.3f}" for curve, v in rounded.items()))


if __name__ == "__main__":
    main()
