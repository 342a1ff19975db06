"""`firth predict`: a model's answers to the records of a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from firth.commands.addresses import folder_of
from firth.errors import FirthError

if TYPE_CHECKING:
    from firth.tasks.batch.predictors import Predictor

Task = Literal["fill", "encode", "neighbours"]


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Models in use")(predict)


def predict(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A folder that `firth evaluate --save` wrote; or a BERT or word vectors: a folder, bert, skipgram or "
            "cbow of this project, MODEL@alias of the registry.",
        ),
    ],
    input_: Annotated[
        Path,
        typer.Option(
            "--input", "-i", metavar="FILE", help="A .txt (a text a line), .csv, .tsv or .jsonl, plain or packed."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="A .jsonl, .csv, .tsv or .parquet file to write."),
    ],
    task: Annotated[
        Task | None, typer.Option(help="Of a BERT fill or encode; of word vectors neighbours or encode.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN",
            help="What the file calls a field that the model reads: text=sentence, or endings=a,b,c. Again for each.",
        ),
    ] = None,
    best: Annotated[
        int | None,
        typer.Option("--best", "-n", min=1, help="How many answers: pieces, neighbours; labels, spans, endings."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Records that are in memory at a time.")] = 256,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all that there are.")] = None,
) -> None:
    """Write each record of a file with the model's answer to it: in order, one row in, one row out.

    What a kept model reads is named by its kind of task: text; first and second; context and question; tokens (words
    with blanks between them, or a list); context and endings (or ending0, ending1, …). BERT: text; vectors: word.
    """
    from firth.tasks.batch import run

    run.check(input_, output)
    fields = _fields(field or [])
    predictor = _predictor(model, task, best, threads or len(os.sched_getaffinity(0)))
    if unknown := [name for name in fields if name not in predictor.fields]:
        raise FirthError(f"--field {unknown[0]}: this model reads {', '.join(predictor.fields)}")
    rows = run.predict_file(predictor, input_, output, fields, batch)
    for note in predictor.notes():
        print(note, file=sys.stderr)
    print(f"{output}: {rows} {'row' if rows == 1 else 'rows'}" + ("" if rows else f"; {input_} is empty"))


def _fields(given: list[str]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for one in given:
        name, _, columns = one.partition("=")
        if not name or not all(columns.split(",")):
            raise FirthError(f"--field {one}: write NAME=COLUMN, such as text=sentence")
        fields[name] = columns.split(",") if name == "endings" else [columns]
    return fields


def _predictor(model: str, task: Task | None, best: int | None, threads: int) -> Predictor:
    from firth.tasks.batch import predictors
    from firth.tasks.kept.folder import TASK, is_kept, load
    from firth.word2vec.matrix_files import FILE as VECTORS

    folder = folder_of(model)
    if is_kept(folder):
        kept = load(folder, threads)
        if task is not None:
            raise FirthError(f"--task {task}: {model} has a task of its own, {kept.kind} (its {TASK} says so)")
        return predictors.Task(kept, best)
    words = (folder / VECTORS).is_file()
    possible = ("neighbours", "encode") if words else ("fill", "encode")
    if task not in possible:
        held = "word vectors" if words else "a BERT that was fine-tuned for no task"
        asked = "" if task is None else f"--task {task}: "
        raise FirthError(f"{asked}{model} holds {held}; say --task {' or '.join(possible)}")
    if best is not None and task == "encode":
        raise FirthError(f"--best {best}: a vector is one; leave it out")
    if words:
        from firth.vectors.vectors import Vectors

        vectors = Vectors.load(folder)
        return predictors.Neighbours(vectors, best) if task == "neighbours" else predictors.WordVectors(vectors)
    import torch

    from firth.encode.load import load_model

    torch.set_num_threads(threads)
    bert = load_model(folder)
    return predictors.Fill(bert, best) if task == "fill" else predictors.Encode(bert)
