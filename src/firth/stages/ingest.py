"""`ingest@C`: read corpus C from its pinned source into data/raw/C."""

from __future__ import annotations

from pathlib import Path

from firth.config import load_params
from firth.corpus.sources.ingest import ingest
from firth.errors import ConfigError
from firth.stages.run import run_stage


def main(argv: list[str]) -> None:
    """`argv`: the corpus's name."""
    corpora = load_params(Path("params.yaml")).corpora
    if len(argv) != 1 or argv[0] not in corpora:
        raise ConfigError(f"ingest {' '.join(argv)}: name one corpus of {', '.join(corpora)}")
    (name,) = argv
    manifest = ingest(name, corpora[name], Path("data"))
    for drop in manifest["drops"]:
        print(f"ingest {name}: dropped {drop['documents']} — {drop['reason']} (such as {drop['example']})")
    print(f"ingest {name}: {manifest['documents']} documents, {manifest['words']} words")


if __name__ == "__main__":
    run_stage(main)
