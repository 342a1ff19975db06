"""`firth task`: the data sets that encoders are scored on, one's own among them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from firth.choices import TASK_NAME
from firth.commands.task_options import range_of, separated
from firth.commands.task_shown import SUITES, demands, examples_at_hand, place_of, show
from firth.errors import ConfigError, FirthError
from firth.project import find_root

app = typer.Typer(
    help="Data sets that encoders are scored on: list them, add your own, pin them.", no_args_is_help=True
)


@app.command("list")
def list_tasks() -> None:
    """Show the tasks of params.yaml, with the examples at hand and what the gate demands."""
    from firth.config.load import load_params

    root = find_root()
    params = load_params(root / "params.yaml")
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "kind", "metric", "examples", "data", "licence", "gate"):
        table.add_column(heading, overflow="fold")
    for name, task in params.tasks.items():
        where = place_of(task.train)
        table.add_row(
            name, task.kind, task.metric, examples_at_hand(root, name), where, task.licence, demands(params, name)
        )
    Console().print(table)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the task: lower-case letters, digits, hyphens.")],
    kind: Annotated[str | None, typer.Option("--task", help="text, pair, span, tagging, number or choice.")] = None,
    train: Annotated[
        str | None, typer.Option(help="File of labelled examples, plain or gz, bz2, xz, zst; with --hub a split.")
    ] = None,
    dev: Annotated[
        str | None, typer.Option(help="File, or split, to score on; default: a share of the other one, by hash.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="csv, tsv, jsonl or (span) squad; default: by the ending. Tagging has conll."),
    ] = None,
    official: Annotated[
        str | None,
        typer.Option(help="A published set instead: glue/mrpc (…), squad, conll2003, swag; with --data or --hub."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the --official set's files, as distributed.")] = None,
    hub: Annotated[
        str | None,
        typer.Option(metavar="DATASET[@REVISION]", help="Data set on the Hugging Face hub, such as nyu-mll/glue."),
    ] = None,
    subset: Annotated[str | None, typer.Option(help="Configuration of the --hub data set, such as mrpc.")] = None,
    title: Annotated[str | None, typer.Option(help="What the data set is, as shown in tables; default: NAME.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the data, shown in the report.")] = None,
    attribution: Annotated[str | None, typer.Option(help="Whom to credit.")] = None,
    text_field: Annotated[str | None, typer.Option(help="text: field of the text; default: text.")] = None,
    first_field: Annotated[str | None, typer.Option(help="pair, number: field of the first text [first].")] = None,
    second_field: Annotated[str | None, typer.Option(help="pair, number: field of the second text [second].")] = None,
    label_field: Annotated[
        str | None, typer.Option(help="text, pair: field of the label; choice: of the right ending's number [label].")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="text, pair: labels that count, with commas between; default: all.")
    ] = None,
    score_field: Annotated[str | None, typer.Option(help="number: field of the number [score].")] = None,
    score_range: Annotated[
        str | None, typer.Option(help="number: least and greatest number there is, such as 0,5; default: any.")
    ] = None,
    context_field: Annotated[
        str | None, typer.Option(help="span: field of the text with the answer; choice: of the context [context].")
    ] = None,
    start_field: Annotated[
        str | None, typer.Option(help="choice: field of a beginning that all endings share; default: none.")
    ] = None,
    ending_fields: Annotated[
        str | None, typer.Option(help="choice: fields of the endings, with commas [ending0,ending1,ending2,ending3].")
    ] = None,
    question_field: Annotated[str | None, typer.Option(help="span: field of the question; default: question.")] = None,
    answer_field: Annotated[str | None, typer.Option(help="span: field of the answer; default: answer.")] = None,
    doc_stride: Annotated[
        int | None,
        typer.Option(
            help="span: pieces from one window over a long text to the next; default: 128 for squad, else none."
        ),
    ] = None,
    query_length: Annotated[
        int | None, typer.Option(help="span: most pieces of a question, with --doc-stride [64].")
    ] = None,
    absent_share: Annotated[
        float | None, typer.Option(help="span: share of the answers that their contexts may fail to hold [0.01].")
    ] = None,
    token_column: Annotated[int | None, typer.Option(help="tagging: column of the words, from 0 [0].")] = None,
    tag_column: Annotated[int | None, typer.Option(help="tagging: column of the tags; −1 is the last [−1].")] = None,
    tokens_field: Annotated[str | None, typer.Option(help="tagging, jsonl: field of the words [tokens].")] = None,
    tags_field: Annotated[str | None, typer.Option(help="tagging, jsonl: field of the tags [tags].")] = None,
    document_context: Annotated[
        bool, typer.Option("--document-context", help="tagging: words of the document around a sentence are read too.")
    ] = False,
    pieces: Annotated[
        str | None, typer.Option(help="tagging: first piece of a word is learned, or x: the others as X [first].")
    ] = None,
    group_field: Annotated[
        str | None, typer.Option(help="Field whose equal values stay on one side of the split; default: the text.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="By kind, such as accuracy, f1, matthews or pearson.")] = None,
    dev_share: Annotated[float | None, typer.Option(help="Share of the groups on the dev side [0.15].")] = None,
    train_examples: Annotated[int | None, typer.Option(help="Most examples to train on [1000].")] = None,
    dev_examples: Annotated[int | None, typer.Option(help="Most examples to score on [500].")] = None,
    length: Annotated[
        int | None, typer.Option(help="Most tokens that an encoder reads at a time [128; squad 384].")
    ] = None,
    gate: Annotated[float | None, typer.Option(help="Smallest score with which a BERT may be promoted.")] = None,
    decisive: Annotated[bool, typer.Option("--decisive", help="A new BERT must gain on this task.")] = False,
) -> None:
    """Add a data set of your own: its files are read, checked, shown and pinned in params.yaml."""
    from firth.config.load import load_params, with_overrides
    from firth.tasks.examples.describe import describe_task
    from firth.tasks.examples.hub import pin_split

    root = find_root()
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8")
    if not TASK_NAME.fullmatch(name):
        raise ConfigError(f"{name!r}: a task's name has lower-case letters, digits and hyphens, at most 40")
    if name in load_params(path).tasks:
        raise FirthError(f"tasks.{name} is there already: firth task remove {name}, or choose another name")
    if decisive and gate is None:
        raise ConfigError("--decisive goes with --gate MINIMUM: what decides also has a smallest score")
    given = {
        "title": title, "licence": licence, "attribution": attribution, "text_field": text_field,
        "first_field": first_field, "second_field": second_field, "label_field": label_field,
        "labels": separated(labels), "score_field": score_field, "score_range": range_of(score_range),
        "start_field": start_field, "ending_fields": separated(ending_fields),
        "context_field": context_field, "question_field": question_field, "answer_field": answer_field,
        "doc_stride": doc_stride, "query_length": query_length,
        "absent_share": absent_share, "document_context": document_context or None,
        "pieces": pieces, "token_column": token_column, "tag_column": tag_column,
        "tokens_field": tokens_field, "tags_field": tags_field, "group_field": group_field,
        "metric": metric, "dev_share": dev_share, "train_examples": train_examples, "dev_examples": dev_examples,
        "length": length,
    }  # fmt: skip
    if subset is not None and hub is None:
        raise ConfigError("--subset is of a data set on the hub: say which with --hub")
    if official is None:
        if kind is None or train is None or data is not None:
            raise ConfigError(
                "say --task KIND --train FILE, the same with --hub and splits, or --official SET with --data or --hub"
            )
        given = {"title": name, "licence": "not stated", "attribution": "the owner of this project"} | _filled(given)
    else:
        if (data is None) is (hub is None) or not kind is train is dev is format_ is subset is None:
            raise ConfigError(
                "--official goes with --data FOLDER, which holds its files, or with --hub DATASET; it says itself what "
                "they are"
            )
        kind, train, dev, given, format_, subset = _official(official, data, given)
    pin = None if hub is None else partial(pin_split, hub, subset)
    overrides = [f"tasks.{name}={json.dumps(describe_task(kind, train, dev, root, given, format_, pin))}"]
    if gate is not None:
        overrides.append(f"gate.bert.suites.{name}={json.dumps({'minimum': gate, 'max_loss': 0.02})}")
    if decisive:
        overrides.append(f"gate.bert.decisive={name}")
    written, params = with_overrides(text, overrides, said="firth task add")
    show(name, params, root, official)
    path.write_text(written, encoding="utf-8")
    print(f"params.yaml: task {name}, pinned as {params.tasks[name].train.sha256[:12]}…")
    if gate is not None:
        print(f"the gate: {demands(params, name)}")
        if "bert" not in params.gate.models or "bert" not in params.evaluation.encoders:
            print("note: gate.models and evaluation.encoders must name bert for that to be asked")


def _official(
    name: str, data: str | None, given: dict[str, Any]
) -> tuple[str, str, str, dict[str, Any], str, str | None]:
    """Kind, train and dev, parameters, format and subset of an official set, with what is said otherwise.

    Train and dev are files in `data`; without one, splits on the hub.
    """
    from firth.tasks.examples.named import entry_of, entry_on_hub, files_of, official_set

    found = official_set(name)
    if data is None:
        entry = entry_on_hub(found) | _filled(given)
        return entry.pop("kind"), "train", found.hub.dev, entry, entry.pop("format"), found.hub.subset
    files = files_of(found, Path(data))
    entry = entry_of(found) | _filled(given)
    return entry.pop("kind"), str(files["train"]), str(files["dev"]), entry, entry.pop("format"), None


def _filled(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


@app.command()
def pin(name: Annotated[str, typer.Argument(help="Name of a task of local files.")]) -> None:
    """Pin a task's files anew, after they were changed on purpose."""
    from firth.config.load import load_params, with_overrides
    from firth.tasks.examples.describe import pin_file

    root = find_root()
    path = root / "params.yaml"
    params = load_params(path)
    task = params.tasks.get(name)
    files = {} if task is None else {"train": task.train, **({} if task.dev is None else {"dev": task.dev})}
    local = {side: file for side, file in files.items() if file.kind == "files"}
    if not local:
        own = [
            key for key, other in params.tasks.items() if "files" in (other.train.kind, other.dev and other.dev.kind)
        ]
        raise FirthError(f"{name}: not a task of local files; there are: {', '.join(own) or 'none'}")
    now = {side: pin_file(file.path, root)["sha256"] for side, file in local.items()}
    changed = {side: sha256 for side, sha256 in now.items() if sha256 != local[side].sha256}
    if not changed:
        print(f"{name}: unchanged, pinned as {', '.join(f'{sha256[:12]}…' for sha256 in now.values())}")
        return
    overrides = [f"tasks.{name}.{side}.sha256='{sha256}'" for side, sha256 in changed.items()]
    written, params = with_overrides(path.read_text(encoding="utf-8"), overrides, said="firth task pin")
    show(name, params, root)
    path.write_text(written, encoding="utf-8")
    for side, sha256 in changed.items():
        print(f"{name}: {local[side].path} pinned as {sha256[:12]}… (was {local[side].sha256[:12]}…)")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a task.")]) -> None:
    """Take a task out of params.yaml and out of the gate; its files stay."""
    from firth.config.load import load_params, with_overrides

    root = find_root()
    path = root / "params.yaml"
    params = load_params(path)
    if name not in params.tasks:
        raise FirthError(f"{name}: not a task; there are: {', '.join(params.tasks)}")
    if len(params.tasks) == 1:
        raise FirthError(f"{name} is the only task: add another first (firth task add)")
    removed = [f"tasks.{name}"]
    for kind, own in SUITES.items():
        policy = getattr(params.gate, kind)
        if policy.decisive == name:
            others = [suite for suite in policy.suites if suite != name] or list(own)
            raise FirthError(
                f"{name} decides in the gate: set gate.{kind}.decisive in params.yaml to another suite first, such as "
                f"{others[0]}"
            )
        if name in policy.suites:
            removed.append(f"gate.{kind}.suites.{name}")
    written, _ = with_overrides(path.read_text(encoding="utf-8"), [], removed=removed)
    path.write_text(written, encoding="utf-8")
    print(f"params.yaml: without {', '.join(removed)}")
