"""`words`: count the vocabulary of data/corpus and write the id streams that word2vec reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firth.config import load_params
from firth.corpus.folders import whole_folder
from firth.errors import ConfigError
from firth.progress import Meter
from firth.shards import corpus_side
from firth.stages.run import run_stage
from firth.tokens.encode import build_store

CORPUS = Path("data/corpus")
OUTPUT = Path("data/tokens/words")


def main(argv: list[str]) -> None:
    """No arguments: one vocabulary for the whole corpus."""
    if argv:
        raise ConfigError(f"words takes no arguments, found {' '.join(argv)}")
    settings = load_params(Path("params.yaml")).words
    train, training = corpus_side(CORPUS, "train")
    held, heldout = corpus_side(CORPUS, "heldout")
    with Meter("words", train + held, "documents") as meter, whole_folder(
        OUTPUT, OUTPUT.with_name(".part-words")
    ) as folder:  # fmt: skip
        written = build_store(_counted(training, meter), _counted(heldout, meter), settings, folder)
    for side, counts in written["splits"].items():
        print(
            f"words {side}: {counts['words']} words in {counts['sentences']} sentences, "
            f"{counts['out_of_vocabulary_share']:.2%} of the words read are outside the vocabulary"
        )
    print(f"words vocabulary: {written['vocabulary']['words']} words")


def _counted(documents: Iterator[list[str]], meter: Meter) -> Iterator[list[str]]:
    for document in documents:
        yield document
        meter.advance(1)


if __name__ == "__main__":
    run_stage(main)
