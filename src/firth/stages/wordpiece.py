"""`wordpiece`: learn the vocabulary of word pieces from the training side of data/corpus."""

from __future__ import annotations

from pathlib import Path

from firth.canonical import write_json
from firth.config import load_params
from firth.corpus.folders import whole_folder
from firth.errors import ConfigError
from firth.progress import track
from firth.project import find_folder
from firth.shards import corpus_side
from firth.stages.run import run_stage
from firth.wordpiece.learn import make_tokenizer, summary

CORPUS = Path("data/corpus")
OUTPUT = Path("data/tokenizer")


def main(argv: list[str]) -> None:
    """No arguments: one vocabulary for the whole corpus."""
    if argv:
        raise ConfigError(f"wordpiece takes no arguments, found {' '.join(argv)}")
    settings = load_params(Path("params.yaml")).wordpiece
    base = find_folder(settings.base) if settings.base else None
    count, documents = corpus_side(CORPUS, "train")
    with whole_folder(OUTPUT, OUTPUT.with_name(".part-tokenizer")) as folder:
        made = make_tokenizer(track(documents, "wordpiece: words", count, "documents"), settings, base)
        made.tokenizer.save(folder)
        write_json(folder / "manifest.json", made.manifest)
    print("\n".join(summary(made.manifest)))


if __name__ == "__main__":
    run_stage(main)
