"""Quality of word2vec beside gensim's and the C toolkit's: same text, vocabulary and settings, several seeds.

    python -m bench.quality --folder grid --toolkit ~/word2vec    # 50M words, 5 epochs, 3 seeds: hours
    python -m bench.quality --folder grid --quick                 # 1M words, 1 epoch, 2 seeds: minutes

Each cell of the grid (side, model, seed) is one file in `--folder`, so that the command can be stopped and given again:
what is there is not trained a second time. At the end the table: the mean of each score and its spread over the seeds
(largest less smallest), in Markdown for docs/benchmarks.md. The text is that of `bench.word2vec`, with `FIRTH_DATA` set
books as well; MEN and RW are scored where `FIRTH_DATA` has them.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bench.peers import FASTER, RATES, Gensim, Task, Toolkit, Trained, write_text
from bench.word2vec import documents, ours

from firth.canonical import read_json, write_json
from firth.config import load_params
from firth.config.text import Words
from firth.errors import FirthError
from firth.tasks.words.analogies import score_analogies
from firth.tasks.words.readers import parse_pairs
from firth.tasks.words.similarity import score_similarity
from firth.tasks.words.suites import TaskSet
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore

MORE = {"men": "EN-MEN-TR-3k.txt", "rw": "EN-RW-STANFORD.txt"}


def books(folder: Path) -> Iterator[list[str]]:
    """Paragraphs of the books below `folder`."""
    for path in sorted(folder.glob("books/*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)["text"].split("\n\n")


def mixed(limit: int) -> Iterator[list[str]]:
    """About `limit` words: half books and half of `bench.word2vec`'s text where there are books, else all of that."""
    data = os.environ.get("FIRTH_DATA")
    found = books(Path(data)) if data else iter(())
    words = 0
    first = list(islice(found, 1))
    for document in chain(first, found):
        if words >= limit // 2:
            break
        yield document
        words += sum(sentence.count(" ") + 1 for sentence in document)
    yield from documents(limit - words)


class Suites:
    """Analogies, WordSim-353 and SimLex-999 of the pinned package data, MEN and RW of `FIRTH_DATA`."""

    def __init__(self) -> None:
        settings = load_params(Path("params.yaml")).word_tasks
        self.restrict = settings.restrict_vocabulary
        self.tasks = TaskSet.fetch(settings.files)
        self.pairs = dict(self.tasks.pairs)
        if data := os.environ.get("FIRTH_DATA"):
            for name, file in MORE.items():
                path = Path(data) / "word_eval" / "similarity" / file
                if path.is_file():
                    self.pairs[name] = parse_pairs(path.read_bytes(), file)

    def score(self, found: Trained) -> dict[str, float | None]:
        """Accuracy of analogies, Spearman's rho of the others; null where nothing is covered."""
        analogies = score_analogies(
            found.words, found.matrix, self.tasks.questions, restrict_vocabulary=self.restrict, bootstrap=100, seed=1
        )
        return {"analogies": analogies.score} | {
            name: score_similarity(found.words, found.matrix, pairs, bootstrap=100, seed=1).score
            for name, pairs in self.pairs.items()
        }


def grid(
    folder: Path,
    sides: Mapping[str, Callable[[Task], Trained]],
    tasks: list[Task],
    about: dict[str, Any],
    suites: Suites,
) -> list[dict[str, Any]]:
    """All cells, those that are not there yet trained and scored now; a cell of other settings is refused."""
    cells = []
    for task in tasks:
        for side, train in sides.items():
            path = folder / f"{side.replace(' ', '-')}-{task.model}-{task.dim}-{task.seed}.json"
            wanted = {
                "side": side,
                "model": task.model,
                "dim": task.dim,
                "epochs": task.epochs,
                "seed": task.seed,
                **about,
            }
            if path.is_file():
                cell = read_json(path)
                if {key: cell.get(key) for key in wanted} != wanted:
                    raise FirthError(f"{path}: is of another grid; name another --folder")
            else:
                found = train(task)
                cell = {**wanted, "scores": suites.score(found), "seconds": round(found.seconds, 1)}
                write_json(path, cell)
            print(f"{path.name}: {said(cell['scores'])}, {cell['seconds']:.0f} s", flush=True)
            cells.append(cell)
    return cells


def said(scores: Mapping[str, float | None]) -> str:
    """Scores in one line."""
    return ", ".join(f"{name} {'–' if score is None else f'{score:.4f}'}" for name, score in scores.items())


def summary(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and spread of each side, model and suite."""
    rows = []
    keys = dict.fromkeys((cell["side"], cell["model"]) for cell in cells)
    for side, model in keys:
        own = [cell["scores"] for cell in cells if (cell["side"], cell["model"]) == (side, model)]
        for suite in own[0]:
            values = [scores[suite] for scores in own if scores[suite] is not None]
            if values:
                rows.append(
                    {"side": side, "model": model, "suite": suite, "mean": statistics.mean(values),
                     "spread": max(values) - min(values), "values": values}
                )  # fmt: skip
    return rows


def records(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Ours against each other side, in the form of all benches; the ratio is of the means."""
    mine = {(row["model"], row["suite"]): row for row in rows if row["side"] == "firth"}
    for row in rows:
        if row["side"] != "firth":
            own = mine[row["model"], row["suite"]]
            yield {
                "case": f"{row['model']}, {row['suite']}, against {row['side']}", "metric": "score",
                "ours": round(own["mean"], 4), "peer": round(row["mean"], 4),
                "ratio": round(own["mean"] / row["mean"], 3) if row["mean"] else None,
                "runs": [own["values"], row["values"]],
            }  # fmt: skip


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table: one line a side and model, `mean (spread)` in thousandths of a point."""
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    lines = ["| model | side | " + " | ".join(suites) + " |", "|---|---|" + "---|" * len(suites)]
    for model, side in dict.fromkeys((row["model"], row["side"]) for row in rows):
        cells = {row["suite"]: row for row in rows if (row["model"], row["side"]) == (model, side)}
        scores = [f"{cells[s]['mean']:.3f} ({cells[s]['spread']:.3f})" if s in cells else "–" for s in suites]
        lines.append(f"| {model} | {side} | " + " | ".join(scores) + " |")
    return "\n".join(lines)


def main() -> None:
    """Fill the grid, print the table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the cells are kept")
    parser.add_argument("--quick", action="store_true", help="1M words, 1 epoch, 2 seeds, dim 50")
    parser.add_argument("--words", type=int, help="how much text; default 1M (quick) or 50M")
    parser.add_argument("--dim", type=int, help="default 50 (quick) or 100")
    parser.add_argument("--epochs", type=int, help="default 1 (quick) or 5")
    parser.add_argument("--seeds", type=int, help="default 2 (quick) or 3")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of all sides")
    parser.add_argument("--toolkit", type=Path, help="folder with the C toolkit's word2vec.c: a third side")
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    words, dim, epochs, seeds = (1_000_000, 50, 1, 2) if options.quick else (50_000_000, 100, 5, 3)
    dim, epochs, seeds = options.dim or dim, options.epochs or epochs, options.seeds or seeds
    options.folder.mkdir(parents=True, exist_ok=True)
    suites = Suites()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "words"
        build_store(mixed(options.words or words), islice(documents(1000), 1), Words(), folder)
        store = WordStore.open(folder)
        text = Path(scratch) / "text.txt"
        write_text(store, text)
        sides: dict[str, Callable[[Task], Trained]] = {
            "firth": lambda task: ours(store, task), "gensim": Gensim(text).train,
        }  # fmt: skip
        if options.toolkit:
            sides["C toolkit"] = Toolkit(options.toolkit.expanduser(), text, store, Path(scratch), FASTER).train
        about = {"text": store.digest, "threads": options.threads}
        print(f"{store.manifest['splits']['train']['words']} words, vocabulary {len(store.vocabulary)}", flush=True)
        tasks = [Task(model, dim, options.threads, epochs, seed + 1) for seed in range(seeds) for model in RATES]
        rows = summary(grid(options.folder, sides, tasks, about, suites))
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps(list(records(rows)), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
