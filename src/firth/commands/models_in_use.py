"""`firth fill`, `encode`, `import` and `export`: a trained BERT in use, and its exchange with `transformers`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from firth.commands.addresses import folder_of
from firth.errors import DataError, FirthError

if TYPE_CHECKING:
    from rich.table import Table

    from firth.bert.folder import Bert
    from firth.encode.files import TextVectors

PANEL = "Models in use"
CHUNK = 1024
"""Texts between two steps of the progress line."""

Address = Annotated[
    str, typer.Option("--model", "-m", help="A model folder, bert of this project, or MODEL@alias of the registry.")
]


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command(rich_help_panel=PANEL)(fill)
    app.command(rich_help_panel=PANEL)(encode)
    app.command("import", rich_help_panel=PANEL)(import_)
    app.command(rich_help_panel=PANEL)(export)


def fill(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts with \\[MASK] in them.")],
    model: Address = "bert",
    n: Annotated[int, typer.Option("-n", min=1, help="How many answers.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say what could stand at each [MASK]."""
    _check_unicode(texts)
    bert = _load(model)
    from firth.encode import use

    positions = bert.model.architecture.positions
    _say_cut(sum(use.is_cut(bert, text, positions, mask_token=True) for text in texts), positions)
    answers = use.fill(bert, texts, n)
    if json:
        from firth.canonical import dumps

        said = [
            {"text": text, "masks": [[{"piece": piece, "probability": p} for piece, p in mask] for mask in masks]}
            for text, masks in zip(texts, answers, strict=True)
        ]
        print(dumps(said), end="")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text, masks in zip(texts, answers, strict=True):
        console.print(Text(text, style="bold"))
        console.print(_table(masks))


def encode(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to encode.")] = None,
    input_: Annotated[
        str, typer.Option("--input", "-i", metavar="FILE", help="A text a line, UTF-8; - reads standard input.")
    ] = "",
    model: Address = "bert",
    pooling: Annotated[
        Literal["cls", "mean", "tokens", "words"],
        typer.Option(help="One vector a text: of [CLS], or the mean of all tokens; or one a token, one a word."),
    ] = "mean",
    layers: Annotated[
        Literal["last", "sum4", "concat4"],
        typer.Option(help="The last layer; the sum of the last four; or those four side by side."),
    ] = "last",
    length: Annotated[
        int | None,
        typer.Option(min=3, help="Most tokens of a text, special ones included; default: all the model reads."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--to",
            "-o",
            metavar="FILE",
            help="A .parquet, .safetensors, .npy or .jsonl file; default: JSON lines to standard output.",
        ),
    ] = None,
) -> None:
    """Give texts, tokens or words their vectors."""
    lines = _texts(texts, input_)
    from firth.encode import files

    if to is not None:
        files.check_ending(to, pooling)
    bert = _load(model)
    from firth.encode import use

    positions = bert.model.architecture.positions
    if length is not None and length > positions:
        raise FirthError(f"--length {length}: this model reads {positions} tokens at most")
    most = length or positions

    def found() -> Iterator[TextVectors]:
        cut = 0
        for chunk in _chunks(lines):
            cut += sum(use.is_cut(bert, text, most) for text in chunk)
            if pooling in ("tokens", "words"):
                parts = use.encode_parts(bert, chunk, pooling, layers, most)
                yield from (files.TextVectors(text, *part) for text, part in zip(chunk, parts, strict=True))
            else:
                vectors = use.encode(bert, chunk, pooling, layers, most)
                yield from (files.TextVectors(text, None, row) for text, row in zip(chunk, vectors, strict=True))
        _say_cut(cut, most)

    if to is None:
        files.write_lines(sys.stdout, found())
    else:
        print(f"{to}: {files.write_vectors(to, found())} texts, {use.width(bert, layers)} dimensions")


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="HF_DIR", exists=True, file_okay=False, help="What save_pretrained wrote.")
    ],
    to: Annotated[Path, typer.Option(help="Model folder to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Of heads that the model lacks.")] = 1,
) -> None:
    """Read a BERT of transformers into a model folder that the other commands, --init and the tasks take."""
    _check_free(to)
    from firth.bert.folder import HEADS, NEW, is_model_folder, save
    from firth.encode.interchange import read_hf

    if is_model_folder(folder):
        raise FirthError(f"{folder}: is a model folder of Firth already")
    bert = read_hf(folder, seed)
    save(to, bert)
    new = [head for head in HEADS if bert.heads[head] == NEW]
    print(f"{to}: {_described(bert)}" + (f"; new, not trained yet: {', '.join(new)}" if new else ""))


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model folder, a model of this project, or MODEL@alias.")
    ],
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    format_: Annotated[
        Literal["hf", "mlflow"],
        typer.Option(
            "--format", help="hf: a BERT as transformers loads it; mlflow: as `mlflow models serve` serves it."
        ),
    ] = "hf",
    most_rows: Annotated[
        int | None, typer.Option(min=1, help="mlflow: most rows of a request; default 256, word vectors 1000.")
    ] = None,
    most_characters: Annotated[
        int | None,
        typer.Option(min=1, help="mlflow: most characters of a request; default 1000000, word vectors 100000."),
    ] = None,
) -> None:
    """Write a model so that other programs load it unmodified."""
    _check_free(to)
    if format_ == "mlflow":
        from firth.registry.exported import export_mlflow

        what = export_mlflow(folder_of(model), to, most_rows, most_characters)
        print(f"{to}: {what}; serve it: mlflow models serve -m {to} --env-manager local")
        return
    if most_rows or most_characters:
        raise FirthError("--most-rows and --most-characters go with --format mlflow")
    bert = _load(model)
    from firth.bert.folder import HEADS, NEW
    from firth.encode.interchange import hf_class, write_hf

    write_hf(bert, to)
    new = [head for head in HEADS if bert.heads[head] == NEW]
    left = f"; left out, never trained: {', '.join(new)}" if new else ""
    print(f"{to}: {hf_class(bert)} of transformers ({format_}), {_described(bert)}{left}")


def _load(address: str) -> Bert:
    folder = folder_of(address, ["bert"])
    from firth.encode.load import load_model

    return load_model(folder)


def _texts(texts: list[str] | None, file: str) -> list[str]:
    """The texts that were given, or the lines of `file`."""
    if bool(texts) == bool(file):
        raise FirthError("give texts, or a file of them with --input" + (", not both" if texts else ""))
    if texts:
        _check_unicode(texts)
        return texts
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).expanduser().read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", file) from None
    lines = raw.removesuffix(b"\n").split(b"\n") if raw else []
    read = []
    for number, line in enumerate(lines, 1):
        try:
            read.append(line.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8 ({error.reason} at byte {error.start})", file, number) from None
    if not read:
        raise DataError("holds no text", file)
    return read


def _check_unicode(texts: list[str]) -> None:
    """Arguments that are not UTF-8 reach Python with lone surrogates, which no file takes."""
    for number, text in enumerate(texts, 1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise FirthError(f"text {number} is not UTF-8 (at character {error.start})") from None


def _chunks(lines: list[str]) -> Iterator[list[str]]:
    """Pieces of `lines`, with a progress line where there are many."""
    if len(lines) <= CHUNK:
        yield lines
        return
    from firth.progress import Meter

    with Meter("encode", len(lines), "texts") as meter:
        for start in range(0, len(lines), CHUNK):
            chunk = lines[start : start + CHUNK]
            yield chunk
            meter.advance(len(chunk))


def _say_cut(cut: int, length: int) -> None:
    if cut:
        what = "1 text has" if cut == 1 else f"{cut} texts have"
        print(f"{what} more than {length} tokens: what is behind them was not read", file=sys.stderr)


def _check_free(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FirthError(f"{folder}: is there already; name a new or an empty folder")


def _described(bert: Bert) -> str:
    shape = bert.model.architecture
    return (
        f"{shape.layers} layers of {shape.hidden}, {shape.heads} heads, {shape.vocabulary:,} pieces, "
        f"{shape.parameters() / 1e6:.1f}M weights"
    )


def _table(masks: list[list[tuple[str, float]]]) -> Table:
    """A line an answer; two columns a mask. `Text` because a piece such as [UNK] is markup to rich."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for number in range(len(masks)):
        table.add_column("piece" if len(masks) == 1 else f"piece {number + 1}")
        table.add_column("probability", justify="right", style="dim")
    for row in zip(*masks, strict=True):
        table.add_row(*(cell for piece, share in row for cell in (Text(piece), Text(f"{share:.1%}"))))
    return table
