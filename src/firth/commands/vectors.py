"""`firth vectors`: ask word vectors, and exchange them with other tools."""

from __future__ import annotations

import json
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from firth.commands import vectors_evaluate, vectors_train
from firth.commands.addresses import WORDS, folder_of
from firth.errors import FirthError

if TYPE_CHECKING:
    from firth.vectors.search import Approximate
    from firth.vectors.vectors import Vectors

app = typer.Typer(help="Train, ask and score word vectors; exchange them with other tools.", no_args_is_help=True)
vectors_train.add_to(app)
vectors_evaluate.add_to(app)

UNBOUNDED = 10_000
"""Columns of a file or pipe, where no word may be cut off."""

Vectors_ = Annotated[
    str,
    typer.Option("--vectors", "-v", help="A folder, skipgram or cbow of this project, or MODEL@alias of the registry."),
]
Which = Annotated[
    Literal["input", "output", "sum", "concat"],
    typer.Option(help="Input vectors W, output vectors C, their sum, or both side by side."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def neighbours(
    words: Annotated[list[str], typer.Argument(help="One or more words; a phrase in quotation marks.")],
    vectors: Vectors_ = "skipgram",
    n: Annotated[int, typer.Option("-n", min=1, help="How many neighbours.")] = 10,
    which: Which = "input",
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Walk an index of near words instead of comparing with all.")
    ] = False,
    index: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File that keeps the index between commands, built where it is not there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the nearest words by cosine."""
    found = load(vectors, which)
    answers = found.neighbours(words, n, approximate=_opened(found, index) if index else approximate)
    if as_json:
        _print_json(
            [
                {"word": word, "neighbours": _named(answer, "cosine")}
                for word, answer in zip(words, answers, strict=True)
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for word in words:
        table.add_column(Text(word if word in found else f"{word}*"))
        table.add_column("cosine", justify="right", style="dim")
    for row in zip_longest(*answers, fillvalue=None):
        table.add_row(
            *(cell for answer in row for cell in ((Text(answer[0]), f"{answer[1]:.3f}") if answer else ("", "")))
        )
    Console(width=None if sys.stdout.isatty() else UNBOUNDED).print(table)
    if any(word not in found for word in words):
        print("* not in the vocabulary: made of its n-grams")


@app.command()
def analogy(
    a: str,
    b: str,
    c: str,
    vectors: Vectors_ = "skipgram",
    n: Annotated[int, typer.Option("-n", min=1, help="How many answers.")] = 5,
    which: Which = "input",
    method: Annotated[
        Literal["3cosadd", "3cosmul"], typer.Option(help="Nearest to b - a + c, or Levy and Goldberg's product.")
    ] = "3cosadd",
    as_json: Json = False,
) -> None:
    """A is to B as C is to what? By 3CosAdd, or by 3CosMul."""
    answers = load(vectors, which).analogy(a, b, c, n, method)
    if as_json:
        _print_json({"a": a, "b": b, "c": c, "method": method, "answers": _named(answers, "score")})
        return
    for word, score in answers:
        print(f"{word}\t{score:.3f}")


@app.command()
def similarity(first: str, second: str, vectors: Vectors_ = "skipgram", which: Which = "input") -> None:
    """Print the cosine of two words."""
    print(f"{load(vectors, which).similarity(first, second):.4f}")


@app.command()
def doesnt_match(
    words: Annotated[list[str], typer.Argument(help="Three or more words.")],
    vectors: Vectors_ = "skipgram",
    which: Which = "input",
) -> None:
    """Print the word that is farthest from the mean of all."""
    print(load(vectors, which).doesnt_match(words))


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="File to write; one that ends in .gz is compressed.")],
    vectors: Vectors_ = "skipgram",
    format_: Annotated[
        Literal["word2vec-text", "word2vec-binary", "glove"], typer.Option("--format", help="Format of the file.")
    ] = "word2vec-text",
    which: Which = "input",
) -> None:
    """Write vectors in a format that gensim and others load."""
    from firth.vectors import interchange

    loaded = load(vectors, which)
    interchange.write(loaded, to, format_)
    print(f"{to}: {len(loaded.vocabulary)} words of {loaded.dim} dimensions, {format_}")
    if loaded.ngrams is not None:
        typer.echo("the n-grams are not part of these formats: readers know the words of the vocabulary only", err=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of vectors, .gz or not.")],
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    format_: Annotated[
        Literal["auto", "word2vec-text", "word2vec-binary", "glove"],
        typer.Option("--format", help="Format of the file; auto tells it from what the file starts with."),
    ] = "auto",
) -> None:
    """Read another tool's vectors into a folder that the other commands take. They have no output vectors."""
    from firth.vectors import interchange

    loaded = interchange.import_file(file, to, format_)
    print(f"{to}: {len(loaded.vocabulary)} words of {loaded.dim} dimensions")


@app.command("map")
def map_(
    to: Annotated[Path, typer.Option(help="Picture to write: .svg, .html or .png.")],
    words: Annotated[list[str] | None, typer.Argument(help="Words to draw; none: the most frequent.")] = None,
    vectors: Vectors_ = "skipgram",
    n: Annotated[
        int, typer.Option("-n", min=4, max=1000, help="Without words: so many frequent ones that mean something.")
    ] = 200,
    which: Which = "input",
    projection: Annotated[
        Literal["pca", "tsne"], typer.Option(help="Principal components, or t-SNE, which keeps neighbours together.")
    ] = "pca",
    theme: Annotated[
        Literal["auto", "light", "dark"], typer.Option(help="auto: as the reader prefers; a .png is light then.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of t-SNE and of the groups that colours show.")] = 1,
) -> None:
    """Draw words in two dimensions, so that those used alike lie near each other."""
    from firth.report import word_map
    from firth.report.inputs import Model
    from firth.report.plane import content_words

    if to.suffix not in word_map.ENDINGS:
        raise FirthError(f"{to}: the ending names the format: {', '.join(word_map.ENDINGS)}")
    found = load(vectors, which)
    chosen = list(dict.fromkeys(words or ()))
    if not chosen:
        chosen = [found.vocabulary.words[row] for row in content_words(Model(vectors, found, [], {}), n)]
    name = Path(vectors).resolve().name if Path(vectors).is_dir() else vectors
    title = f"{len(chosen)} {'' if words else 'frequent '}words of {name}, {which} vectors"
    drawn = word_map.word_map(title, chosen, found.units(chosen), projection, seed)
    missing = word_map.write_map(drawn, to, theme)
    if missing:
        typer.echo(f"{to}: the font of a .png lacks {missing}; an .svg or .html shows them", err=True)
    print(f"{to}: {len(chosen)} words, {sum(label is not None for label in drawn.labels)} of them with labels")


def load(address: str, which: Literal["input", "output", "sum", "concat"] = "input") -> Vectors:
    """The vectors behind a path, a model of this project, or `MODEL@alias`."""
    from firth.vectors.vectors import Vectors

    return Vectors.load(folder_of(address, WORDS), which)


def _opened(vectors: Vectors, path: Path) -> Approximate:
    from firth.vectors.search import Approximate

    if path.exists():
        return Approximate.load(path, vectors.exact)
    built = Approximate.build(vectors.exact)
    built.save(path)
    return built


def _named(answers: list[tuple[str, float]], score: str) -> list[dict[str, Any]]:
    return [{"word": word, score: round(value, 6)} for word, value in answers]


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
