"""`tokenize`: write the token store that BERT reads, from data/corpus and data/tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firth.config import load_params
from firth.corpus.folders import whole_folder
from firth.errors import ConfigError
from firth.progress import track
from firth.shards import corpus_side
from firth.stages.run import run_stage
from firth.wordpiece.store import build_store
from firth.wordpiece.tokenizer import Tokenizer
from firth.wordpiece.writing import summary

CORPUS = Path("data/corpus")
TOKENIZER = Path("data/tokenizer")
OUTPUT = Path("data/tokens/pieces")


def main(argv: list[str]) -> None:
    """No arguments: the whole corpus, both sides."""
    if argv:
        raise ConfigError(f"tokenize takes no arguments, found {' '.join(argv)}")
    settings = load_params(Path("params.yaml")).tokenize
    tokenizer = Tokenizer.load(TOKENIZER)
    with whole_folder(OUTPUT, OUTPUT.with_name(".part-pieces")) as folder:
        manifest = build_store(_side("train"), _side("heldout"), tokenizer, settings, folder)
    print("\n".join(summary(manifest)))


def _side(side: str) -> Iterator[list[str]]:
    count, documents = corpus_side(CORPUS, side)
    return track(documents, f"tokenize {side}", count, "documents")


if __name__ == "__main__":
    run_stage(main)
