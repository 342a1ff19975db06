"""`firth vectors`: ask word vectors, and exchange them with other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from firth.errors import FirthError
from firth.project import find_root

app = typer.Typer(help="Ask word vectors; exchange them with other tools.", no_args_is_help=True)

Vectors_ = Annotated[
    str,
    typer.Option("--vectors", "-v", help="A folder, skipgram or cbow of this project, or MODEL@alias of the registry."),
]
Which = Annotated[
    Literal["input", "output", "sum", "concat"],
    typer.Option(help="Input vectors W, output vectors C, their sum, or both side by side."),
]
Format = Annotated[Literal["word2vec-text", "word2vec-binary"], typer.Option("--format", help="Format of the file.")]


@app.command()
def neighbours(
    words: Annotated[list[str], typer.Argument(help="One or more words.")],
    vectors: Vectors_ = "skipgram",
    n: Annotated[int, typer.Option("-n", min=1, help="How many neighbours.")] = 10,
    which: Which = "input",
) -> None:
    """Print the nearest words by cosine."""
    from firth.word2vec.vectors import Vectors

    found = Vectors.load(folder_of(vectors), which)
    table = Table(box=None, pad_edge=False)
    columns = [found.most_similar(word, n) for word in words]
    for word in words:
        table.add_column(word)
        table.add_column("cosine", justify="right", style="dim")
    for row in zip(*columns, strict=True):
        table.add_row(*(cell for word, cosine in row for cell in (word, f"{cosine:.3f}")))
    Console().print(table)


@app.command()
def analogy(
    a: str,
    b: str,
    c: str,
    vectors: Vectors_ = "skipgram",
    n: Annotated[int, typer.Option("-n", min=1, help="How many answers.")] = 5,
    which: Which = "input",
) -> None:
    """A is to B as C is to what? By 3CosAdd."""
    from firth.word2vec.vectors import Vectors

    for word, score in Vectors.load(folder_of(vectors), which).analogy(a, b, c, n):
        print(f"{word}\t{score:.3f}")


@app.command()
def similarity(first: str, second: str, vectors: Vectors_ = "skipgram", which: Which = "input") -> None:
    """Print the cosine of two words."""
    from firth.word2vec.vectors import Vectors

    print(f"{Vectors.load(folder_of(vectors), which).similarity(first, second):.4f}")


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="File to write.")],
    vectors: Vectors_ = "skipgram",
    format_: Format = "word2vec-text",
    which: Which = "input",
) -> None:
    """Write vectors in a format that gensim and others load."""
    from firth.word2vec import interchange
    from firth.word2vec.vectors import Vectors

    loaded = Vectors.load(folder_of(vectors), which)
    write = interchange.write_text if format_ == "word2vec-text" else interchange.write_binary
    to.parent.mkdir(parents=True, exist_ok=True)
    write(loaded, to)
    print(f"{to}: {len(loaded.vocabulary)} words of {loaded.matrix.shape[1]} dimensions, {format_}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of vectors.")],
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    format_: Format = "word2vec-text",
) -> None:
    """Read another tool's vectors into a folder that the other commands take. They have no output vectors."""
    from firth.word2vec import interchange
    from firth.word2vec.vectors import save_matrices

    read = interchange.read_text if format_ == "word2vec-text" else interchange.read_binary
    loaded = read(file)
    if to.exists() and any(to.iterdir()):
        raise FirthError(f"{to}: not empty; name a new folder")
    save_matrices(to, loaded.vocabulary, {"input": loaded.matrix})
    print(f"{to}: {len(loaded.vocabulary)} words of {loaded.matrix.shape[1]} dimensions")


def folder_of(address: str) -> Path:
    """The folder of vectors behind a path, a model of this project, or `MODEL@alias`."""
    path = Path(address)
    if path.is_dir():
        return path
    if "@" in address:
        from firth.registry.versions import fetch_vectors

        return fetch_vectors(address, find_root())
    own = find_root() / "data" / "vectors" / address
    if own.is_dir():
        return own
    trained = sorted(entry.name for entry in own.parent.iterdir()) if own.parent.is_dir() else []
    raise FirthError(
        f"{address}: neither a folder nor a trained model of this project "
        f"({', '.join(trained) or 'none is trained yet: `firth run`'}) nor MODEL@alias"
    )
