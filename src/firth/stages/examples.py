"""`examples@T`: read the data set of task T, split it and cut it to seeded subsets in data/examples/T."""

from __future__ import annotations

from pathlib import Path

from firth.config import load_params
from firth.corpus.folders import whole_folder
from firth.errors import ConfigError
from firth.stages.run import run_stage
from firth.tasks.examples.build import build
from firth.tasks.examples.found import notes

EXAMPLES = Path("data/examples")


def main(argv: list[str]) -> None:
    """`argv`: the task's name."""
    tasks = load_params(Path("params.yaml")).tasks
    if len(argv) != 1 or argv[0] not in tasks:
        raise ConfigError(f"examples {' '.join(argv)}: name one task of {', '.join(tasks)}")
    (name,) = argv
    with whole_folder(EXAMPLES / name, EXAMPLES.with_name(f".part-examples-{name}")) as folder:
        manifest = build(name, tasks[name], folder, Path.cwd())
    for note in notes(manifest):
        print(f"examples {name}: {note}")
    for side, available in manifest["available"].items():
        print(f"examples {name}: {manifest['files'][f'{side}.jsonl']['examples']} of {available} to {_USE[side]}")


_USE = {"train": "train on", "dev": "score on"}


if __name__ == "__main__":
    run_stage(main)
