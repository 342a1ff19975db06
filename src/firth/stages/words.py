"""`words`: count the vocabulary of data/corpus and write the id streams that word2vec reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firth.canonical import read_json
from firth.config import load_params
from firth.corpus.folders import whole_folder
from firth.errors import ConfigError, IntegrityError
from firth.progress import Meter
from firth.shards import read_shards
from firth.stages.run import run_stage
from firth.tokens.encode import build_store

CORPUS = Path("data/corpus")
OUTPUT = Path("data/tokens/words")


def main(argv: list[str]) -> None:
    """No arguments: one vocabulary for the whole corpus."""
    if argv:
        raise ConfigError(f"words takes no arguments, found {' '.join(argv)}")
    settings = load_params(Path("params.yaml")).words
    manifest = read_json(CORPUS / "manifest.json")
    if not isinstance(manifest, dict) or not {"shards", "documents", "words"} <= manifest.keys():
        raise IntegrityError(f"{CORPUS / 'manifest.json'}: not the manifest of a prepared corpus")
    with Meter("words", manifest["documents"], "documents") as meter, whole_folder(
        OUTPUT, OUTPUT.with_name(".part-words")
    ) as folder:  # fmt: skip
        written = build_store(_side("train", manifest, meter), _side("heldout", manifest, meter), settings, folder)
    for side, counts in written["splits"].items():
        print(
            f"words {side}: {counts['words']} words in {counts['sentences']} sentences, "
            f"{counts['out_of_vocabulary_share']:.2%} of the words read are outside the vocabulary"
        )
    print(f"words vocabulary: {written['vocabulary']['words']} words")


def _side(side: str, manifest: dict[str, Any], meter: Meter) -> Iterator[list[str]]:
    """The documents of `side`, each a list of sentences."""
    entries = [entry for entry in manifest["shards"] if Path(entry["file"]).parts[0] == side]
    for document in read_shards(CORPUS, entries, columns=["sentences"]):
        yield document["sentences"]
        meter.advance(1)


if __name__ == "__main__":
    run_stage(main)
