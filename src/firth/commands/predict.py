"""`firth predict`: a model's answers to the records of a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from firth.commands.addresses import folder_of
from firth.errors import FirthError

if TYPE_CHECKING:
    from firth.tasks.batch.formats import Format
    from firth.tasks.batch.predictors import Predictor
    from firth.tasks.batch.predictors import Task as Kept

Task = Literal["fill", "encode", "neighbours"]


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Models in use")(predict)


def predict(
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            help="A folder that `firth evaluate --save` wrote, again for each of several that answer together, by the "
            "mean of their outputs; or a BERT or word vectors: a folder, bert, skipgram or cbow of this project, "
            "MODEL@alias of the registry.",
        ),
    ],
    input_: Annotated[
        Path,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="A .txt (a text a line), .csv, .tsv or .jsonl; SQuAD's .json; CoNLL's columns (.conll, .train, "
            ".testa, .testb); with --format a file of GLUE or SWAG; plain or packed.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .jsonl, .csv, .tsv or .parquet file to write; for SQuAD a .json, for columns a .txt or .conll, for "
            "GLUE and SWAG a .tsv.",
        ),
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Which official file --input is: glue/cola (…), swag; squad or conll where its ending does not say.",
        ),
    ] = None,
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

    SQuAD's questions become {"id": "answer"}, lines of columns get the predicted tag of their first column's word
    as one more column, rows of GLUE's sets and of SWAG become index and prediction: what `firth score` takes.
    """
    from firth.tasks.batch import run
    from firth.tasks.batch.formats import format_of

    form = format_of(input_, format_)
    run.check(input_, output, form)
    fields = _fields(field or [])
    workers = threads or len(os.sched_getaffinity(0))
    if form is not None:
        if fields or best is not None:
            raise FirthError(
                f"{'--field' if fields else '--best'} is for records, and {input_} is of format {form.name}"
            )
        _official(form, model, task, input_, output, batch, workers)
        return
    predictor = _predictor(model, task, best, workers)
    if unknown := [name for name in fields if name not in predictor.fields]:
        raise FirthError(f"--field {unknown[0]}: this model reads {', '.join(predictor.fields)}")
    rows = run.predict_file(predictor, input_, output, fields, batch)
    _note(predictor)
    print(f"{output}: {rows} {'row' if rows == 1 else 'rows'}" + ("" if rows else f"; {input_} is empty"))


def _official(
    form: Format, models: Sequence[str], task: Task | None, source: Path, target: Path, batch: int, threads: int
) -> None:
    """Answer SQuAD's questions, tag CoNLL's columns, answer the rows of GLUE's sets or SWAG."""
    from firth.tasks.batch import columns, formats, numbered, predictors, squad

    predictor = _predictor(models, task, None, threads)
    if not isinstance(predictor, predictors.Task):
        raise FirthError(f"{source}: {form.what} is for a kept {form.kind} model")
    formats.check_kind(source, form, predictor.kind)
    predictor.units = form.units
    if form.name == "squad":
        count = squad.predict_questions(predictor, source, target, batch)
    elif form.name == "conll":
        count = columns.predict_columns(predictor, source, target, batch)
    else:
        count = numbered.predict_rows(predictor, form.name, source, target, batch)
    _note(predictor)
    one, several = predictor.units
    print(f"{target}: {count} {one if count == 1 else several}" + ("" if count else f"; {source} is empty"))


def _note(predictor: Predictor) -> None:
    for note in predictor.notes():
        print(note, file=sys.stderr)


def _fields(given: list[str]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for one in given:
        name, _, columns = one.partition("=")
        if not name or not all(columns.split(",")):
            raise FirthError(f"--field {one}: write NAME=COLUMN, such as text=sentence")
        fields[name] = columns.split(",") if name == "endings" else [columns]
    return fields


def _predictor(models: Sequence[str], task: Task | None, best: int | None, threads: int) -> Predictor:
    from firth.tasks.batch import predictors
    from firth.tasks.kept.folder import is_kept
    from firth.word2vec.matrix_files import FILE as VECTORS

    if len(models) > 1 or is_kept(folder_of(models[0])):
        return _kept(models, task, best, threads)
    (model,) = models
    folder = folder_of(model)
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


def _kept(models: Sequence[str], task: Task | None, best: int | None, threads: int) -> Kept:
    from firth.tasks.batch import predictors
    from firth.tasks.kept.ensemble import check_together
    from firth.tasks.kept.folder import TASK, is_kept, load

    folders = {model: folder_of(model) for model in models}
    if len({folder.resolve() for folder in folders.values()}) < len(models):
        raise FirthError(f"--model names a model twice: {', '.join(models)}")
    if others := [model for model, folder in folders.items() if not is_kept(folder)]:
        raise FirthError(f"{others[0]}: is no kept model, and only these answer together")
    kept = {model: load(folder, threads) for model, folder in folders.items()}
    first, *beside = kept.values()
    if task is not None:
        raise FirthError(f"--task {task}: {models[0]} has a task of its own, {first.kind} (its {TASK} says so)")
    check_together(kept)
    return predictors.Task(first, best, beside)
