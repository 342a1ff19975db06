"""`firth score`: the official scores of predictions that anyone made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firth.errors import FirthError

if TYPE_CHECKING:
    from rich.table import Table

    from firth.tasks.official.glue_scores import ScoredFolder
    from firth.tasks.official.results import Result


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Models in use")(score)


def score(
    scorer: Annotated[
        str,
        typer.Argument(
            metavar="SCORER",
            help="squad, conll2003, swag, glue/TASK (cola, sst-2, mrpc, sts-b, qqp, mnli-m, mnli-mm, qnli, rte, wnli; "
            "mnli: by the name of --gold), or glue for folders.",
        ),
    ],
    pred: Annotated[
        Path,
        typer.Option(
            help='squad: JSON {"id": "answer"}; conll2003: columns, the predicted tag last; swag, glue/TASK: TSV with '
            "the header index, prediction; glue: a folder of these, named as in a submission."
        ),
    ],
    gold: Annotated[
        Path | None,
        typer.Option(
            help="The official file, plain or packed (glue: the folder of them). May be left out for conll2003 where "
            "the last two columns of --pred are gold and predicted tag."
        ),
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
    each: Annotated[Path | None, typer.Option(help="Write one JSON line an example to this file.")] = None,
) -> None:
    """Score predictions as the official scorers of GLUE, SQuAD v1.1, CoNLL-2003 and SWAG do; in percent."""
    name = scorer.lower()
    if gold is None and name != "conll2003":
        raise FirthError(f"score {scorer}: say with --gold where the right answers are")
    if name == "glue":
        _folders(Path(str(gold)), pred, json_, each)
        return
    result = _result(name, gold, pred)
    _show(result)
    if json_ is not None:
        from firth.canonical import write_json
        from firth.tasks.official.results import digest

        files = {"gold": None if gold is None else digest(gold), "pred": digest(pred)}
        write_json(json_, result.as_json() | {"files": files})
    if each is not None:
        _write_each(each, result.each)


def _result(name: str, gold: Path | None, pred: Path) -> Result:
    from firth.tasks.official.glue import TASKS

    if name == "conll2003":
        from firth.tasks.official.conll import score_conll

        return score_conll(pred, gold)
    right = Path(str(gold))
    if name == "squad":
        from firth.tasks.official.squad import score_squad

        return score_squad(right, pred)
    if name == "swag":
        from firth.tasks.official.swag import score_swag

        return score_swag(right, pred)
    prefix, _, task = name.partition("/")
    if name == "glue/mnli":
        task = _side_of_mnli(right)
    if prefix != "glue" or task not in TASKS:
        known = ", ".join(f"glue/{one}" for one in TASKS)
        raise FirthError(f"{name}: no such scorer; there are squad, conll2003, swag, glue, {known}")
    from firth.tasks.official.glue_scores import score_file

    return score_file(TASKS[task], right, pred)


def _side_of_mnli(gold: Path) -> str:
    """Which of its two sets that dev file is."""
    from firth.tasks.official.glue import TASKS

    for name in ("mnli-m", "mnli-mm"):
        if gold.name.startswith(TASKS[name].dev):
            return name
    raise FirthError(f"{gold}: neither dev_matched nor dev_mismatched; say glue/mnli-m or glue/mnli-mm")


def _folders(gold: Path, pred: Path, json_: Path | None, each: Path | None) -> None:
    """All of GLUE that there are predictions for, with the averages."""
    from firth.tasks.official.glue_scores import score_folder

    for folder in (gold, pred):
        if not folder.is_dir():
            raise FirthError(f"{folder}: glue takes folders; for one file say glue/TASK")
    found = score_folder(gold, pred)
    _print(_tasks(found), found.whole)
    if json_ is not None:
        from firth.canonical import write_json
        from firth.tasks.official.results import digest

        tasks: dict[str, Any] = {
            name: scored.result.as_json() | {"files": {"gold": digest(scored.gold), "pred": digest(scored.pred)}}
            for name, scored in found.tasks.items()
        }
        write_json(json_, found.whole.as_json() | {"tasks": tasks})
    if each is not None:
        _write_each(each, [{"task": name, **one} for name, scored in found.tasks.items() for one in scored.result.each])


def _write_each(path: Path, records: list[dict[str, Any]]) -> None:
    from firth.canonical import write_atomic

    write_atomic(path, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records).encode())


def _show(result: Result) -> None:
    _print(_types(result) if result.types else _scores(result), result)


def _print(table: Table, result: Result) -> None:
    from rich.console import Console

    Console().print(table)
    print(", ".join(f"{count:,} {name}" for name, count in result.counts.items()))
    for note in result.notes:
        print(note)


def _scores(result: Result) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(result.scorer)
    table.add_column("percent", justify="right")
    for name, value in result.scores.items():
        table.add_row(name.replace("_", " "), f"{value:.2f}")
    return table


def _types(result: Result) -> Table:
    """Phrases by type, as conlleval prints them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(result.scorer)
    for head in ("precision", "recall", "F1", "phrases", "found", "right"):
        table.add_column(head, justify="right", no_wrap=True)
    total = {**result.scores, **result.counts}
    for name, part in (*result.types.items(), ("all", total)):
        rates = (f"{part[key]:.2f}" for key in ("precision", "recall", "f1"))
        numbers = (f"{int(part[key]):,}" for key in ("phrases", "found", "right"))
        table.add_row(name, *rates, *numbers, style="bold" if name == "all" else "")
    table.caption = f"accuracy of tags {result.scores['accuracy']:.2f}"
    table.caption_justify = "left"
    return table


def _tasks(found: ScoredFolder) -> Table:
    """Each set with its metrics, then the averages."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head, justify in (("glue", "left"), ("score", "right"), ("mean of", "left")):
        table.add_column(head, justify=justify)  # type: ignore[arg-type]
    for name, scored in found.tasks.items():
        metrics = {key: value for key, value in scored.result.scores.items() if key != "score"}
        parts = ", ".join(f"{key} {value:.2f}" for key, value in metrics.items())
        table.add_row(name, f"{found.whole.scores[name]:.2f}", parts)
    for name, value in found.whole.scores.items():
        if name not in found.tasks:
            table.add_row(name.replace("_", " "), f"{value:.2f}", "", style="bold")
    return table
