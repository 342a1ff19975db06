"""`prepare`: clean the validated corpora of data/raw into data/corpus, without what the tasks are scored on."""

from __future__ import annotations

from pathlib import Path

from firth.config import load_params
from firth.corpus.prepare import prepare
from firth.errors import ConfigError
from firth.stages.run import run_stage
from firth.tasks.examples.files import dev_texts

EXAMPLES = Path("data/examples")


def main(argv: list[str]) -> None:
    """No arguments: all corpora of the parameters are prepared together, so that duplicates across them are found."""
    if argv:
        raise ConfigError(f"prepare takes no arguments, found {' '.join(argv)}")
    params = load_params(Path("params.yaml"))
    dev = {}
    if params.prepare.decontamination_words:
        # By the tasks of the parameters: a folder of data/examples may be of one that was taken out.
        dev = {name: dev_texts(EXAMPLES / name) for name in sorted(params.tasks)}
    result = prepare(params.corpora, params.prepare, Path("data"), dev)
    for row in result["table"]:
        print(f"prepare {row['source']}: dropped {row['documents']} ({row['words']} words) — {row['reason']}")
    for name, kept in result["kept"].items():
        print(
            f"prepare {name}: {kept['documents']} documents, {kept['words']} words "
            f"({kept['train']} to train on, {kept['heldout']} held out)"
        )


if __name__ == "__main__":
    run_stage(main)
