"""`firth init`: parameters for one's own corpus, sized by what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firth.commands.project import unsaved
from firth.errors import DataError, FirthError
from firth.project import find_root

if TYPE_CHECKING:
    from firth.config import Params
    from firth.config.corpora import FileSource
    from firth.corpus.survey import Survey

FEWEST_WORDS = 1000
FEW_DOCUMENTS = 50
MOST_EPOCHS = 40
"""A small model that reads a small text more often than this learns it by heart."""
PIECES_PER_WORD = 1.35
LARGE = 20_000_000
"""Words from which the demo's few minutes of training are too few to be of use."""


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Pipeline")(init)


def init(
    input_: Annotated[
        list[str], typer.Option("--input", metavar="FILE", help="A file or quoted glob of your text; repeatable.")
    ],
    name: Annotated[str, typer.Option(help="Name of the corpus.")] = "mine",
    preset: Annotated[
        str | None, typer.Option(help="Preset to start from; default: demo, or mini from 20 million words on.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the text, shown in the report.")] = "not stated",
    attribution: Annotated[str, typer.Option(help="Whom to credit.")] = "the owner of this project",
    format_: Annotated[
        str | None,
        typer.Option("--format", help="text, jsonl, csv, parquet or mediawiki; default: by the files' ending."),
    ] = None,
    text_field: Annotated[str, typer.Option(help="Field of a record that holds the text.")] = "text",
    title_field: Annotated[str | None, typer.Option(help="Field of a record that holds the title.")] = None,
    force: Annotated[bool, typer.Option(help="Replace parameters that git does not hold.")] = False,
) -> None:
    """Set this project up for your own corpus: read it once, pin it, and write params.yaml to its measure."""
    from firth.config.load import load_preset, preset_text, with_overrides
    from firth.corpus.sources.files import describe_files

    path = find_root() / "params.yaml"
    if path.is_file() and not force and unsaved(path):
        raise FirthError(f"{path}: holds changes that are not committed; commit them, or give --force to replace them")
    entry = describe_files(
        input_,
        format_=format_,
        text_field=text_field,
        title_field=title_field,
        licence=licence,
        attribution=attribution,
    )
    entry, found = _documents(name, entry)
    if found.words < FEWEST_WORDS:
        raise DataError(f"corpus {name}: {found.words} words; at least {FEWEST_WORDS} are needed to learn from")
    preset = preset or ("demo" if found.words < LARGE else "mini")
    changes = list(_to_measure(load_preset(preset), found))
    overrides = [f"corpora={json.dumps({name: entry})}"]
    overrides += [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value, _ in changes]
    text, _ = with_overrides(preset_text(preset), overrides, f"preset {preset}")
    path.write_text(text, encoding="utf-8")
    _say(name, entry, found, preset, changes)


def _documents(name: str, entry: dict[str, Any]) -> tuple[dict[str, Any], Survey]:
    """The source's entry and what is in it; a few plain files are cut at paragraphs, or at lines.

    Next-sentence pairs and held-out text need more than a handful of documents.
    """
    from firth.config.corpora import FileSource
    from firth.corpus.survey import survey

    def look(one: dict[str, Any]) -> Survey:
        return survey(name, _source(one))

    def _source(one: dict[str, Any]) -> FileSource:
        return FileSource.model_validate(one)

    best, found = entry, look(entry)
    if entry["format"] == "text":
        for unit in ("paragraph", "line"):
            if found.documents >= FEW_DOCUMENTS:
                break
            other = entry | {"text_documents": unit}
            seen = look(other)
            if seen.documents > found.documents:
                best, found = other, seen
    return best, found


def _to_measure(params: Params, found: Survey) -> Iterator[tuple[str, Any, str]]:
    """What must differ from the preset for a corpus of this size, as key, value and reason."""
    words, documents = found.words, found.documents
    if params.validation.min_documents > documents // 2:
        yield "validation.min_documents", max(1, documents // 2), f"the corpus has {documents} documents"
    if params.validation.min_words > words // 2:
        yield "validation.min_words", words // 2, f"the corpus has {words} words"
    share = round(min(0.2, max(params.prepare.heldout_share, 10 / documents)), 4)
    if share > params.prepare.heldout_share:
        yield "prepare.heldout_share", share, "so that about ten documents are held out"
    if words < 200_000 and params.words.min_count > 2:
        yield "words.min_count", 2, "in a small text most words are rare"
    pieces = min(params.wordpiece.vocabulary, max(1000, words // 400 * 10))
    if pieces < params.wordpiece.vocabulary:
        yield "wordpiece.vocabulary", pieces, "a small text has few distinct words"
        if params.wordpiece.alphabet >= pieces // 2:
            yield "wordpiece.alphabet", pieces // 4, "a part of the vocabulary"
    bert = params.bert
    steps = max(50, int(MOST_EPOCHS * words * PIECES_PER_WORD / (bert.batch * bert.length)))
    if steps < bert.steps:
        yield "bert.steps", steps, f"the corpus about {MOST_EPOCHS} times"
        if bert.optimizer.warmup_steps > steps // 10:
            yield "bert.optimizer.warmup_steps", steps // 10, "a tenth of the steps"
        if bert.heldout.every > steps // 3:
            yield "bert.heldout.every", max(1, steps // 3), "three looks"
    yield from _about(found)


def _about(found: Survey) -> Iterator[tuple[str, Any, str]]:
    """What the report looks at: the corpus's own words and sentences."""
    if len(found.common) >= 5:
        yield "report.neighbours", list(found.common[:5]), "frequent words of yours"
    masked = [_masked(sentence, set(found.common)) for sentence in found.examples]
    chosen = [sentence for sentence in masked if sentence is not None][:5]
    if chosen:
        yield "report.fill", chosen, "sentences of yours"
        yield "report.attention", found.examples[0], "a sentence of yours"
    yield "report.ambiguous", None, "name a word with several senses in your text, if you like"


def _masked(sentence: str, common: set[str]) -> str | None:
    """`sentence` with its last frequent word masked."""
    parts = sentence.split()
    for place in range(len(parts) - 1, 0, -1):
        word = parts[place].strip(".,'-").lower()
        if word in common and parts[place].strip(".,'-") == parts[place].rstrip(".,"):
            tail = parts[place][len(word) :]
            return " ".join([*parts[:place], "[MASK]" + tail, *parts[place + 1 :]])
    return None


def _say(name: str, entry: dict[str, Any], found: Survey, preset: str, changes: list[tuple[str, Any, str]]) -> None:
    unit = f", one a {entry['text_documents']}" if entry.get("text_documents") else ""
    print(
        f"corpus {name}: {found.documents:,} documents{unit}, {found.words:,} words, pinned as {entry['sha256'][:12]}…"
    )
    print(f"params.yaml: preset {preset} with this corpus alone, and")
    for key, value, reason in changes:
        shown = json.dumps(value, ensure_ascii=False)
        print(f"  {key}: {shown if len(shown) <= 60 else shown[:57] + '…'}   ({reason})")
    print("\nnext:")
    print("  firth run                                          validate, train, score, promote, report")
    print("  firth task add NAME --task text --train FILE       your own task, to score and to gate models on")
