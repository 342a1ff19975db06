"""`firth evaluate`: encoders side by side on a data set of one's own, or on a task of this project."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from firth.commands.addresses import folder_of, root_or_none
from firth.commands.task_options import range_of, separated
from firth.config.tasks import Kind
from firth.config.usages import Evaluation, Mode
from firth.errors import ConfigError, FirthError
from firth.project import find_root

if TYPE_CHECKING:
    from rich.table import Table

    from firth.config.tasks import AnyTask
    from firth.tasks.examples.files import Examples
    from firth.tasks.usages.encoders import Source

KINDS = get_args(Kind)


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Models in use")(evaluate)


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Folders (a BERT of ours or of Hugging Face's form, or word vectors), skipgram, cbow or bert of this "
            "project, or NAME@alias of the registry.",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            help="text, pair, span, tagging, number or choice with --train; else the name of a task in params.yaml."
        ),
    ],
    train: Annotated[
        Path | None, typer.Option(help="Examples to train heads on: CSV, TSV, JSONL, CoNLL, SQuAD.")
    ] = None,
    dev: Annotated[
        Path | None, typer.Option(help="Examples to score on; left out, a share of --train, chosen by hash.")
    ] = None,
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
        Literal["frozen", "finetuned"] | None,
        typer.Option(help="A head on fixed features, or head and encoder together (BERT only)."),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds of the heads; the median is the score.")] = None,
    pooling: Annotated[Literal["cls", "mean"] | None, typer.Option(help="A text's vector from its tokens'.")] = None,
    layers: Annotated[
        Literal["last", "sum4", "concat4"] | None, typer.Option(help="Layers of a BERT that are read.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
) -> None:
    """Score encoders side by side, beside the answer that needs no encoder; ties with it are shown as ties.

    Settings that are not given are those of this project's params.yaml, or the defaults outside of a project.
    """
    options = {
        "text_field": text_field, "first_field": first_field, "second_field": second_field,
        "context_field": context_field, "question_field": question_field, "answer_field": answer_field,
        "doc_stride": doc_stride, "query_length": query_length, "document_context": document_context or None,
        "pieces": pieces, "label_field": label_field, "labels": separated(labels), "token_column": token_column,
        "tag_column": tag_column, "score_field": score_field, "score_range": range_of(score_range),
        "start_field": start_field, "ending_fields": separated(ending_fields), "group_field": group_field,
        "dev_share": dev_share, "metric": metric,
        "length": length, "train_examples": train_examples, "dev_examples": dev_examples, "format": format_,
    }  # fmt: skip
    given = {key: value for key, value in options.items() if value is not None}
    settings = _settings(mode, seeds, pooling, layers)
    with _examples(task, train, dev, given) as examples:
        from firth.tasks.usages.score import score_task

        sources = _sources(models, settings)
        scored = score_task(examples, sources, settings)
    measured = {system["encoder"] for system in scored.results["systems"]}
    if left := [name for name in sources if name not in measured]:
        raise FirthError(f"{', '.join(left)}: word vectors have no mode finetuned; leave --mode out")
    _show(scored.results)
    if json_ is not None:
        from firth.canonical import write_json

        write_json(json_, scored.results)


def _settings(mode: Mode | None, seeds: str | None, pooling: str | None, layers: str | None) -> Evaluation:
    from pydantic import ValidationError

    root = root_or_none()
    base = Evaluation()
    if root is not None:
        from firth.config import load_params

        base = load_params(root / "params.yaml").evaluation
    asked = {"modes": [mode] if mode else None, "pooling": pooling, "layers": layers}
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value}
    if seeds is not None:
        try:
            changes["seeds"] = [int(part) for part in seeds.split(",")]
        except ValueError:
            raise FirthError(f"--seeds {seeds}: write whole numbers with commas, such as 1,2,3") from None
    try:
        return Evaluation.model_validate(base.model_dump() | changes)
    except ValidationError as error:
        raise _refusal(error) from None


@contextmanager
def _examples(task: str, train: Path | None, dev: Path | None, given: dict[str, Any]) -> Iterator[Examples]:
    """The examples that are asked for; those of a file are built in a folder that goes away."""
    from firth.tasks.examples.build import build
    from firth.tasks.examples.files import load

    if train is not None:
        name, asked, root = train.stem, _own_task(task, train, dev, given), Path.cwd()
    else:
        name, asked, root = task, *_configured_task(task, dev, given)
        built = root / "data" / "examples" / task
        if built.is_dir():
            yield load(built)
            return
    with tempfile.TemporaryDirectory(prefix="firth-examples-") as folder:
        build(name, asked, Path(folder), root)
        yield load(Path(folder))


def _own_task(kind: str, train: Path, dev: Path | None, given: dict[str, Any]) -> AnyTask:
    from pydantic import TypeAdapter, ValidationError

    from firth.config.tasks import AnyTask

    if kind not in KINDS:
        raise FirthError(f"--task {kind}: with --train it is one of {', '.join(KINDS)}")
    values = {
        "kind": kind,
        "title": train.name,
        "licence": "not stated",
        "attribution": "not stated",
        "train": _file(train),
        "dev": None if dev is None else _file(dev),
        "format": given.get("format") or _format(kind, train),
        **given,
    }
    try:
        read: AnyTask = TypeAdapter(AnyTask).validate_python(values)
    except ValidationError as error:
        raise _refusal(error) from None
    return read


def _configured_task(name: str, dev: Path | None, given: dict[str, Any]) -> tuple[AnyTask, Path]:
    if name in KINDS:
        raise FirthError(f"--task {name}: say with --train FILE where the examples are, or name a task of this project")
    if dev is not None or given:
        option = "dev" if dev is not None else next(iter(given))
        raise FirthError(
            f"--{option.replace('_', '-')} goes with --train; what the task {name} is stands in params.yaml"
        )
    from firth.config import load_params

    root = find_root()
    tasks = load_params(root / "params.yaml").tasks
    if name not in tasks:
        raise FirthError(
            f"--task {name}: no task of this project ({', '.join(tasks) or 'it has none'}); for a file of your own say "
            f"--task {'|'.join(KINDS)} --train FILE"
        )
    return tasks[name], root


def _file(path: Path) -> dict[str, str]:
    from firth.canonical import file_sha256

    if not path.is_file():
        raise FirthError(f"{path}: no such file")
    return {"kind": "files", "path": str(path.resolve()), "sha256": file_sha256(path)}


def _format(kind: str, path: Path) -> str:
    if kind == "tagging":
        return "conll"
    for ending in path.suffixes[::-1]:
        if ending in (".csv", ".tsv", ".jsonl"):
            return ending[1:]
        if ending == ".json" and kind == "span":
            return "squad"
    raise FirthError(f"{path}: the ending does not say what it is; add --format csv, tsv or jsonl")


def _sources(models: Sequence[str], settings: Evaluation) -> dict[str, Source]:
    """The models by the name they are shown under: the folder's own where that is enough to tell them apart."""
    from firth.tasks.usages.encoders import from_folder

    short = [Path(model).name if Path(model).is_dir() else model for model in models]
    names = short if len(set(short)) == len(short) else list(models)
    if len(set(names)) < len(names):
        raise FirthError(f"{next(name for name in names if names.count(name) > 1)}: named twice")
    return {name: from_folder(folder_of(model), model, settings) for name, model in zip(names, models, strict=True)}


def _refusal(error: Any) -> ConfigError:
    """One line for what pydantic found, with the option's name."""
    detail = error.errors()[0]
    place = [str(part) for part in detail["loc"] if part not in KINDS]
    option = "--" + (place[0] if place else "task").replace("_", "-").replace("modes", "mode")
    if detail["type"] == "extra_forbidden":
        return ConfigError(f"{option} does not go with this kind of task")
    if not place:  # what one option says does not go with what another says
        return ConfigError(detail["msg"].removeprefix("Value error, "))
    return ConfigError(f"{option} {detail['input']!r}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")


def _show(results: dict[str, Any]) -> None:
    from rich.console import Console

    counts = results["examples"]
    Console().print(_table(results))
    print(
        f"{results['title']}: {counts['train']} training examples, {counts['dev']} to score on. "
        "In brackets: 95% bootstrap interval over these."
    )


def _table(results: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title, justify in (("", "left"), (results["metric"], "right"), ("95%", "left"), ("beside majority", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    baseline = results["majority"]
    table.add_row("majority", f"{baseline['score']:.3f}", "", baseline["what"], style="dim")
    for system in results["systems"]:
        verdict = "above" if system["score"] > baseline["score"] else "below"
        table.add_row(
            system["system"],
            f"{system['score']:.3f}",
            rf"\[{system['low']:.3f}, {system['high']:.3f}]",
            "≈ majority" if system["tie_with_majority"] else verdict,
        )
    return table
