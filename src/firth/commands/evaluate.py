"""`firth evaluate`: encoders side by side on a data set of one's own, or on a task of this project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from firth.commands.addresses import folder_of
from firth.commands.evaluate_save import check_save, keep_scored
from firth.commands.evaluate_ways import check_ways, settings_of
from firth.commands.task_examples import examples_asked_for
from firth.commands.task_options import range_of, seeds_of, separated
from firth.errors import FirthError
from firth.project import kept_folder

if TYPE_CHECKING:
    from firth.config.usages import Evaluation
    from firth.tasks.encoders.sources import Source


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Models in use")(evaluate)


def evaluate(
    task: Annotated[
        str,
        typer.Option(
            help="text, pair, span, tagging, number or choice with --train; glue/mrpc (…), squad, conll2003 or swag "
            "with --data, --hub or --train; else the name of a task in params.yaml."
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Folders (a BERT of ours or of Hugging Face's form, or word vectors), skipgram, cbow or bert of this "
            "project, or NAME@alias of the registry.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="One more MODEL; repeatable.", show_default=False)] = None,
    train: Annotated[
        Path | None, typer.Option(help="Examples to train heads on: CSV, TSV, JSONL, CoNLL, SQuAD.")
    ] = None,
    dev: Annotated[
        Path | None, typer.Option(help="Examples to score on; left out, a share of --train, chosen by hash.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the official set that --task names; --train or --dev takes the place of a file."),
    ] = None,
    hub: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET[@REVISION]",
            help="Data set on the Hugging Face hub: the official set that --task names, or with --task KIND and the "
            "splits --train and --dev.",
        ),
    ] = None,
    subset: Annotated[str | None, typer.Option(help="Configuration of the --hub data set.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="csv, tsv, jsonl, conll or squad; default: by the file's ending.")
    ] = None,
    text_field: Annotated[str | None, typer.Option(help="text: field of the text.")] = None,
    first_field: Annotated[str | None, typer.Option(help="pair, number: field of the first text.")] = None,
    second_field: Annotated[str | None, typer.Option(help="pair, number: field of the second text.")] = None,
    context_field: Annotated[str | None, typer.Option(help="span, choice: field of the context.")] = None,
    question_field: Annotated[str | None, typer.Option(help="span: field of the question.")] = None,
    answer_field: Annotated[str | None, typer.Option(help="span: field of the answer.")] = None,
    doc_stride: Annotated[int | None, typer.Option(help="span: pieces from one window to the next.")] = None,
    query_length: Annotated[
        int | None, typer.Option(help="span: most pieces of a question, with --doc-stride.")
    ] = None,
    absent_share: Annotated[float | None, typer.Option(help="span: share of answers that contexts may lack.")] = None,
    score_field: Annotated[str | None, typer.Option(help="number: field of the number.")] = None,
    score_range: Annotated[str | None, typer.Option(help="number: least and greatest there is, such as 0,5.")] = None,
    start_field: Annotated[str | None, typer.Option(help="choice: field of what all endings begin with.")] = None,
    ending_fields: Annotated[str | None, typer.Option(help="choice: fields of the endings, with commas.")] = None,
    label_field: Annotated[
        str | None, typer.Option(help="text, pair: field of the label; choice: of the right ending's number.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="text, pair: labels that count, such as yes,no.")] = None,
    token_column: Annotated[int | None, typer.Option(help="tagging: column of the words, from 0.")] = None,
    tag_column: Annotated[int | None, typer.Option(help="tagging: column of the tags; negative: from the end.")] = None,
    tokens_field: Annotated[str | None, typer.Option(help="tagging, jsonl: field of the list of words.")] = None,
    tags_field: Annotated[str | None, typer.Option(help="tagging, jsonl: field of the list of tags.")] = None,
    document_context: Annotated[
        bool, typer.Option("--document-context", help="tagging: words of the document around a sentence are read too.")
    ] = False,
    pieces: Annotated[
        str | None, typer.Option(help="tagging: first piece of a word is learned, or x: the others as X.")
    ] = None,
    group_field: Annotated[str | None, typer.Option(help="Field whose equal values stay on one side.")] = None,
    dev_share: Annotated[float | None, typer.Option(help="Share of the dev side, where there is no --dev.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="text, pair: accuracy, f1, matthews; span: f1, exact; tagging: entity_f1, accuracy; "
            "number: pearson_spearman, pearson, spearman."
        ),
    ] = None,
    length: Annotated[int | None, typer.Option(help="Most tokens that an encoder reads at a time.")] = None,
    train_examples: Annotated[int | None, typer.Option(help="Most training examples; a seeded subset.")] = None,
    dev_examples: Annotated[int | None, typer.Option(help="Most dev examples; a seeded subset.")] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="frozen,finetuned",
            help="A head on fixed features, head and encoder trained together, or both. Left out: finetuned with "
            "--protocol, --learning-rate, --epochs, --batch, --early-stopping or --ensemble; else as in params.yaml, "
            "or frozen.",
        ),
    ] = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="The same as --mode frozen.")] = False,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="linear,bilstm",
            help="Linear, a BiLSTM on all tokens, or both. A BERT is fine-tuned under the linear one only.",
        ),
    ] = None,
    protocol: Annotated[
        Literal["sane", "paper"] | None,
        typer.Option(
            help="Of fine-tuning. sane: one setting, the median of the seeds; paper: a grid of settings, the best on "
            "the dev side, which is an optimistic score."
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="How many, such as 5; or which, such as 1,2,7.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of fine-tuning a BERT, the highest, after the warm-up.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Of fine-tuning a BERT; the protocol sane has 5 at most.")] = None,
    batch: Annotated[int | None, typer.Option(help="Examples in a step of fine-tuning a BERT.")] = None,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping",
            help="Fine-tuning a BERT ends where the dev side gains nothing more, and the best epoch counts: an "
            "optimistic score.",
        ),
    ] = False,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble",
            help="One more row: the mean outputs of the models of all seeds, of fine-tuned ones and of BiLSTMs.",
        ),
    ] = False,
    pooling: Annotated[Literal["cls", "mean"] | None, typer.Option(help="A text's vector from its tokens'.")] = None,
    layers: Annotated[
        Literal["last", "sum4", "concat4"] | None, typer.Option(help="Layers of a BERT that are read.")
    ] = None,
    accelerator: Annotated[
        Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where a BERT is read and fine-tuned.")
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16"] | None, typer.Option(help="Of a BERT, read or fine-tuned; bf16 is for GPUs.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads, 2 where neither this nor params.yaml says another number.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Folder for the answers to the dev side, predictions-SYSTEM.jsonl: a line an example."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder to keep the model in that has the score; `firth predict` takes it."),
    ] = None,
) -> None:
    """Score encoders side by side, beside the answer that needs no encoder; ties with it are shown as ties.

    Settings that are not given are those of this project's params.yaml, or the defaults outside of a project. Finished
    fine-tunings are kept, in .firth/cells or ~/.cache/firth/cells: the same command goes on where it was broken off.
    """
    options = {
        "text_field": text_field, "first_field": first_field, "second_field": second_field,
        "context_field": context_field, "question_field": question_field, "answer_field": answer_field,
        "doc_stride": doc_stride, "query_length": query_length,
        "absent_share": absent_share, "document_context": document_context or None,
        "pieces": pieces, "label_field": label_field, "labels": separated(labels), "token_column": token_column,
        "tag_column": tag_column, "tokens_field": tokens_field, "tags_field": tags_field,
        "score_field": score_field, "score_range": range_of(score_range),
        "start_field": start_field, "ending_fields": separated(ending_fields), "group_field": group_field,
        "dev_share": dev_share, "metric": metric,
        "length": length, "train_examples": train_examples, "dev_examples": dev_examples, "format": format_,
    }  # fmt: skip
    given = {key: value for key, value in options.items() if value is not None}
    models = [*(models or []), *(model or [])]
    if not models:
        raise FirthError("name a MODEL: a folder, skipgram, cbow or bert of this project, or NAME@alias")
    if frozen and mode not in (None, "frozen"):
        raise FirthError(f"--frozen and --mode {mode}: say one of them")
    modes = ["frozen"] if frozen else separated(mode)
    of_bert = {"accelerator": accelerator, "precision": precision}
    settings = settings_of(
        modes,
        {"heads": separated(head), "pooling": pooling, "layers": layers, "protocol": protocol,
         "ensemble": ensemble or None, "seeds": seeds_of(seeds), "threads": threads, **of_bert},
        {"learning_rate": learning_rate, "epochs": epochs, "batch": batch, "early_stopping": early_stopping or None},
    )  # fmt: skip
    check_ways(models, settings, {"pooling": pooling, "layers": layers, **of_bert})
    if save is not None:
        check_save(save, models, settings)
    if predictions is not None and predictions.is_file():
        raise FirthError(f"{predictions}: is a file; --predictions is a folder, for a file of each system")
    with examples_asked_for(task, train, dev, data, given, hub, subset) as (examples, official):
        from firth.tasks.evaluation.cells import Cells
        from firth.tasks.evaluation.score import score_task
        from firth.tasks.kept.keeping import Last

        sources = _sources(models, settings)
        last = None if save is None else Last()
        seen = None if last is None else last.see
        scored = score_task(examples, sources, settings, Cells(kept_folder("cells")), seen)
        kept = None if save is None else keep_scored(save, examples, sources, settings, scored.results, last)
    from firth.canonical import write_atomic, write_json
    from firth.commands.evaluate_shown import FROZEN, show

    results = scored.results | ({} if official is None else {"official": official})
    show(results)
    if kept is not None:
        print(kept)
    if modes is None and settings.modes == ["frozen"]:
        print(FROZEN)
    if json_ is not None:
        write_json(json_, results)
    if predictions is not None:
        for system in scored.predictions:
            lines = "".join(scored.prediction_lines(system))
            write_atomic(predictions / f"predictions-{system.replace('/', '%2F')}.jsonl", lines.encode())


def _sources(models: Sequence[str], settings: Evaluation) -> dict[str, Source]:
    """The models by the name they are shown under: the folder's own where that is enough to tell them apart."""
    from firth.tasks.kept.starting import from_folder

    short = [Path(model).name if Path(model).is_dir() else model for model in models]
    names = short if len(set(short)) == len(short) else list(models)
    if len(set(names)) < len(names):
        raise FirthError(f"{next(name for name in names if names.count(name) > 1)}: named twice")
    return {name: from_folder(folder_of(model), model, settings) for name, model in zip(names, models, strict=True)}
