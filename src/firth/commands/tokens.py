"""`firth tokenize`: a token store for pretraining straight from files, without a project."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from firth.errors import ConfigError, DataError

if TYPE_CHECKING:
    from firth.corpus.sources.opening import Opened
    from firth.wordpiece.tokenizer import Tokenizer

TEXT_BYTES = 64 * 2**20
LARGEST_ALPHABET = 1000


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="BERT, without a pipeline")(tokenize)


def tokenize(
    input_: Annotated[
        list[str], typer.Option("--input", metavar="FILE", help="A file or quoted glob of your text; repeatable.")
    ],
    to: Annotated[Path, typer.Option(help="New folder for the token store.")],
    vocabulary: Annotated[
        int | None, typer.Option(min=64, max=2**20, help="Pieces of the vocabulary to learn [30000].")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder of a model or tokenizer to use instead: ours or Hugging Face's.")
    ] = None,
    cased: Annotated[
        bool, typer.Option("--cased", help="Keep capitals and accents in the learned vocabulary.")
    ] = False,
    heldout_share: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of documents held out, chosen by a hash of their text.")
    ] = 0.02,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="text, jsonl, csv, parquet or mediawiki; default: by the files' ending."),
    ] = None,
    text_field: Annotated[str, typer.Option(help="Field of a record that holds the text.")] = "text",
    documents: Annotated[
        Literal["file", "paragraph", "line"], typer.Option(help="What one document is in plain text.")
    ] = "file",
    language: Annotated[str, typer.Option(help="Language of the sentence splitter (ISO 639-1).")] = "en",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the documents' order and the held-out side.")] = 1,
) -> None:
    """Read your files, learn a vocabulary if none is given, and write the token store that `firth pretrain` takes."""
    from firth.config.bert import Tokenize
    from firth.corpus.folders import whole_folder
    from firth.progress import track
    from firth.shards import corpus_side
    from firth.wordpiece.store import build_store
    from firth.wordpiece.writing import summary

    if tokenizer is not None and (vocabulary is not None or cased):
        raise ConfigError("--tokenizer brings its own vocabulary and normalisation: leave out --vocabulary and --cased")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError(f"{to}: already there and not an empty folder; name a new one with --to")
    loaded = None if tokenizer is None else _loaded(tokenizer)
    opened = _open(input_, format_, text_field, documents)
    to.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f".{to.name}-text-", dir=to.parent) as text,
        whole_folder(to, to.with_name(f".part-{to.name}")) as folder,
    ):
        corpus = Path(text)
        _split(opened, corpus, language, heldout_share, seed)
        if loaded is None:
            loaded = _learned(corpus, vocabulary or 30_000, cased)
        sides = {}
        for side in ("train", "heldout"):
            count, rows = corpus_side(corpus, side)
            sides[side] = track(rows, f"tokenize {side}", count, "documents")
        manifest = build_store(sides["train"], sides["heldout"], loaded, Tokenize(seed=seed), folder)
    for drop in opened.drops.by_reason():
        print(f"tokenize: dropped {drop['documents']} — {drop['reason']}")
    print("\n".join(summary(manifest)))
    print(f"{to}: a token store; `firth pretrain` takes it")


def _loaded(folder: Path) -> Tokenizer:
    from firth.wordpiece.tokenizer import Tokenizer

    return Tokenizer.load(folder)


def _learned(corpus: Path, vocabulary: int, cased: bool) -> Tokenizer:
    from firth.config.bert import WordPiece
    from firth.progress import track
    from firth.shards import corpus_side
    from firth.wordpiece.learn import make_tokenizer, summary

    settings = WordPiece(
        vocabulary=vocabulary,
        lowercase=not cased,
        strip_accents=not cased,
        alphabet=max(16, min(LARGEST_ALPHABET, vocabulary // 4)),
    )
    count, documents = corpus_side(corpus, "train")
    made = make_tokenizer(track(documents, "wordpiece: words", count, "documents"), settings)
    print("\n".join(summary(made.manifest)))
    return made.tokenizer


def _open(patterns: list[str], format_: str | None, text_field: str, documents: str) -> Opened:
    from pydantic import ValidationError

    from firth.config.corpora import Records
    from firth.corpus.sources.files import find_files, guess_format
    from firth.corpus.sources.opening import open_files

    files = sorted(find_files(patterns, [Path.cwd()]))
    try:
        records = Records.model_validate(
            {
                "licence": "the user's",
                "attribution": "the user's",
                "format": format_ or guess_format(files),
                "text_field": text_field,
                "text_documents": documents,
            }
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        option = str(wrong["loc"][0]).replace("_", "-")
        raise ConfigError(f"--{option} {wrong['input']!r}: {wrong['msg']}") from None
    return open_files(files, records)


def _split(opened: Opened, folder: Path, language: str, heldout_share: float, seed: int) -> None:
    """Write the documents, cleaned and cut into sentences as `prepare` does, to `folder` as a prepared corpus."""
    from firth.canonical import write_json
    from firth.shards import CORPUS_SCHEMA, write_shards

    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder, prefix="heldout-") as aside:
        rows = _rows(opened, aside, language, heldout_share, seed)
        shards = {"train": write_shards(rows, folder / "train", CORPUS_SCHEMA, TEXT_BYTES)}
        aside.seek(0)
        held = ((json.loads(line), 0) for line in aside)
        shards["heldout"] = write_shards(held, folder / "heldout", CORPUS_SCHEMA, TEXT_BYTES)
    counts = {side: sum(entry["documents"] for entry in entries) for side, entries in shards.items()}
    if not counts["train"]:
        raise DataError(
            f"no document is left to train on: {counts['heldout']} are held out and the rest holds no sentence"
        )
    if heldout_share and not counts["heldout"]:
        raise DataError(
            f"of {counts['train']} documents none falls into the held-out share of {heldout_share}: raise "
            "--heldout-share, or cut plain text into smaller documents with --documents paragraph (or line); "
            "--heldout-share 0 does without"
        )
    listed = [{**entry, "file": f"{side}/{entry['file']}"} for side, entries in shards.items() for entry in entries]
    write_json(folder / "manifest.json", {"shards": listed, "documents": sum(counts.values()), "words": 0})


def _rows(
    opened: Opened, aside: IO[str], language: str, heldout_share: float, seed: int
) -> Iterator[tuple[dict[str, Any], int]]:
    """The training documents; held-out ones, few by nature, are written to `aside` as lines of JSON."""
    from firth.config.text import Prepare
    from firth.corpus.prepare.repair import repaired
    from firth.corpus.prepare.sentences import sentences
    from firth.progress import Meter
    from firth.textkeys import chosen

    total, longest = opened.bytes.total, Prepare().max_word_length
    with Meter("read", None, "documents") as meter:
        for document in opened.documents:
            meter.advance(1, f"{opened.bytes.done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else "")
            if max(map(len, document.text.split()), default=0) > longest:
                # nothing slower than a split may see a text of megabytes without a blank
                opened.drops.add(f"a word of over {longest} characters", f"{document.locator}: {document.text[:200]}")
                continue
            paragraphs = repaired(document.text)
            found = [sentence for paragraph in paragraphs for sentence in sentences(paragraph, language)]
            if not found:
                opened.drops.add("no letter or digit", f"{document.locator}: {document.text[:200]}")
                continue
            row = {"doc_id": document.locator, "source": "", "title": document.title, "sentences": found}
            if chosen("\n\n".join(paragraphs), heldout_share, f"heldout {seed}"):
                aside.write(json.dumps(row, ensure_ascii=False) + "\n")
            else:
                yield row, 0
