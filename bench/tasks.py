"""Encoders side by side on the official sets at hand: GLUE, SQuAD and CoNLL-2003, each with several seeds.

    python -m bench.tasks --data DATA --bert data/models/bert --vectors data/vectors --json tasks.json

DATA holds `glue`, `squad` and `conll2003` as they are distributed, or parts of them. The same heads, recipe, measures
and seeds as `firth evaluate`, protocol sane: one setting for all sets, the median of the seeds. Finished trainings are
kept (`--cells`), so that a call that was ended goes on where it was. The table is printed in Markdown, with how much of
a set was learned from and scored on. Several calls, with other encoders, ways or numbers of seeds, make one table
(`bench/encoders.sh` makes them all):

    python -m bench.tasks --table finetuned.json frozen.json vectors.json
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.pretraining import write
from bench.tasks_table import Record, read, rows_of, table
from pydantic import TypeAdapter

from firth.canonical import file_sha256
from firth.config.load import load_params
from firth.config.tasks import AnyTask
from firth.config.usages import Evaluation, Finetuning
from firth.errors import FirthError
from firth.tasks.encoders.sources import Source, configured
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.score import score_task
from firth.tasks.examples.build import build
from firth.tasks.examples.files import Examples, load
from firth.tasks.examples.named import entry_of, files_of, official_set

SETS = ("glue/mrpc", "glue/rte", "glue/sts-b", "glue/cola", "glue/sst-2", "conll2003", "squad")
SIZES = {"glue/sts-b": 1500, "glue/rte": 500, "squad": 1000}
MOST = 2500
"""Examples to learn from in the table of docs/benchmarks.md: a day's work of two cores, not a week's."""
QUICK_SETS = "glue/cola,glue/sst-2"
"""Sentences of ten to twenty words: what takes least."""
LEARNING_RATE = 1e-4
"""Twice what the paper gives for models of four to ten times the width: these are small, and so are the sets."""
PARAMS = Path(__file__).parent.parent / "params.yaml"
"""Says which package the encoder `reference` is in."""


def examples_of(name: str, data: Path, most: int, most_dev: int | None = None) -> Examples:
    """The set's examples, at most `most` to learn from and `most_dev` to score on, seeded subsets; None: all."""
    found = official_set(name)
    files: dict[str, Any] = {
        side: {"kind": "files", "path": str(path.resolve()), "sha256": file_sha256(path)}
        for side, path in files_of(found, data).items()
    }
    sizes = {"train_examples": most} | ({} if most_dev is None else {"dev_examples": most_dev})
    task: AnyTask = TypeAdapter(AnyTask).validate_python({**entry_of(found), **files, **sizes})
    with tempfile.TemporaryDirectory() as scratch:
        build(name.rpartition("/")[2], task, Path(scratch), Path.cwd())
        return load(Path(scratch))


def renamed(sources: Mapping[str, Source], labels: Mapping[str, str]) -> dict[str, Source]:
    """The encoders, some under other labels."""
    if unknown := sorted(set(labels) - set(sources)):
        raise FirthError(f"--label {unknown[0]}: not among --encoders {','.join(sources)}")
    return {name: replace(source, label=labels.get(name, source.label)) for name, source in sources.items()}


def parser_of() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the official sets")
    parser.add_argument(
        "--table",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="only print the table of what earlier calls wrote (--json)",
    )
    parser.add_argument("--bert", type=Path, default=Path("data/models/bert"), help="folder of a BERT of ours")
    parser.add_argument(
        "--label", metavar="NAME=TEXT", action="append", default=[], help="what bert, random, … is called"
    )
    parser.add_argument("--vectors", type=Path, default=Path("data/vectors"), help="folder with skipgram and cbow")
    parser.add_argument("--encoders", default="reference,bert,random,skipgram")
    parser.add_argument("--modes", default="finetuned,frozen")
    parser.add_argument("--heads", default="linear", help="linear, bilstm or both")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="of fine-tuning, on all sets")
    parser.add_argument("--epochs", type=int, default=Finetuning().epochs, help="of fine-tuning, on all sets")
    parser.add_argument(
        "--train-examples", type=int, help="of each set at most, a seeded subset; default: as in docs/benchmarks.md"
    )
    parser.add_argument(
        "--subset", action="append", default=[], metavar="SET=EXAMPLES", help="other than that of one set, repeatable"
    )
    parser.add_argument("--dev-examples", type=int, help="of each set at most to score on; default: all")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of fine-tuning and answering")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cells", type=Path, default=Path(".firth/cells"), help="where finished trainings are kept")
    parser.add_argument("--quick", action="store_true", help="CoLA and SST-2, 500 examples, two seeds")
    parser.add_argument("--json", type=Path, help="write the records there")
    return parser


def train_sizes(options: argparse.Namespace) -> dict[str, int]:
    """Of each set that is asked for the most examples to learn from: its `--subset`, `--train-examples`, the page's."""
    sets = options.sets.split(",")
    subsets = {name: int(count) for name, _, count in (one.partition("=") for one in options.subset)}
    if unknown := sorted(set(subsets) - set(sets)):
        raise FirthError(f"--subset {unknown[0]}: not among --sets {options.sets}")
    return {name: subsets.get(name, options.train_examples or SIZES.get(name, MOST)) for name in sets}


def settings_of(options: argparse.Namespace) -> Evaluation:
    """What is asked for, as `firth evaluate` has it."""
    return Evaluation.model_validate(
        {
            "encoders": options.encoders.split(","),
            "modes": options.modes.split(","),
            "heads": options.heads.split(","),
            "reference": load_params(PARAMS).evaluation.reference,
            "seeds": list(range(1, options.seeds + 1)),
            "finetuning": Finetuning(learning_rate=options.learning_rate, epochs=options.epochs),
            "precision": options.precision,
            "threads": options.threads,
        }
    )


def main() -> None:
    """Score, one set after the other; the file is written after each."""
    parser = parser_of()
    options = parser.parse_args()
    if options.table:
        print(table(read(options.table)))
        return
    if options.data is None:
        parser.error("--data: say where the official sets are")
    if options.quick:
        options.sets, options.train_examples, options.seeds = QUICK_SETS, 500, 2
    try:
        sizes = train_sizes(options)
    except FirthError as error:
        parser.error(str(error))
    settings = settings_of(options)
    labels = dict(one.split("=", 1) for one in options.label)
    records: list[Record] = []
    for name, most in sizes.items():
        examples = examples_of(name, options.data, most, options.dev_examples)
        sources = renamed(configured(settings, options.vectors, options.bert), labels)
        records += rows_of(name, score_task(examples, sources, settings, Cells(options.cells)).results)
        print(f"\n{table(records)}\n", flush=True)
        write(records, options.json)


if __name__ == "__main__":
    main()
