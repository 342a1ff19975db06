"""`word-tasks`: score every model in `data/vectors` on analogies and word similarity."""

from __future__ import annotations

import shutil
from pathlib import Path

from firth.canonical import file_sha256, write_atomic, write_json
from firth.config import load_params
from firth.errors import DataError, FirthError
from firth.stages.run import run_stage
from firth.tasks.words.suites import METRICS, TaskSet, score_words
from firth.vectors.vectors import Vectors

VECTORS = Path("data/vectors")
OUTPUT = Path("data/tasks/words")
METRICS_FILE = Path("data/metrics/word-tasks.json")


def main(argv: list[str]) -> None:
    """Write `results.json` and `predictions-<model>.jsonl` for the models in `data/vectors`."""
    if argv:
        raise FirthError(f"word_tasks takes no arguments, found {' '.join(argv)}")
    settings = load_params(Path("params.yaml")).word_tasks
    folders = sorted(path.parent for path in VECTORS.glob("*/vectors.safetensors"))
    if not folders:
        raise DataError("holds no folder with vectors.safetensors; run the word2vec stages first", VECTORS)
    tasks = TaskSet.fetch(settings.files)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    summaries = {}
    for folder in folders:
        vectors = Vectors.load(folder)
        scores = score_words(vectors.vocabulary.words, vectors.matrix, tasks, settings)
        summaries[folder.name] = scores.summary()
        write_atomic(OUTPUT / f"predictions-{folder.name}.jsonl", "".join(scores.prediction_lines()).encode())
    write_json(
        OUTPUT / "results.json",
        {
            "digests": tasks.digests,
            "models": summaries,
            "settings": settings.model_dump(include={"restrict_vocabulary", "bootstrap", "seed"}),
            "vectors": {folder.name: file_sha256(folder / "vectors.safetensors") for folder in folders},
        },
    )
    write_json(
        METRICS_FILE,
        {
            model: {METRICS[suite]: part["score"] for suite, part in suites.items() if part["score"] is not None}
            for model, suites in summaries.items()
        },
    )


if __name__ == "__main__":
    run_stage(main)
