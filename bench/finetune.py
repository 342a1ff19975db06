"""Fine-tuning beside `transformers`' Trainer: same encoder, examples, settings, seeds and updates, alternating runs.

    python -m bench.finetune --quick                     # 96 examples, two epochs, three to five minutes on 2 cores
    python -m bench.finetune --data DATA --json speed.json     # all of MRPC, three epochs, five seeds
    python -m bench.finetune --data DATA --task glue/sst-2,glue/cola,glue/sts-b --examples 1500 --learning-rate 1e-4 \
        --peer longest --head mean --no-features    # the same model on both sides: scores worth comparing

The encoder is all-MiniLM-L6-v2 out of its wheel, or the one in `--model`. DATA, by default $FIRTH_DATA, holds MRPC and
SQuAD 1.1 as they are distributed (`glue/MRPC/train.tsv`, `squad/dev-v1.1.json`, …, also packed); without it the demo's
package data stand in, BoolQ and Disfl-QA. The peer's scripts pad to the task's length, or to the longest of a batch.
Timed is the training and the prediction of the dev side; scores are those of the dev side after each training. Our
text's vector is the mean of its tokens', the peer's the pooled [CLS] unless `--head` says otherwise. Of SQuAD the
making of features is timed: windows of the texts, and where the answers lie in them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bench.pretraining import write
from bench.trainer import PADDINGS, Clock, Head, Padding, Run, Script, squad_features, tokenizer_of
from pydantic import TypeAdapter

from firth.canonical import file_sha256
from firth.config.load import load_preset
from firth.config.tasks import AnyTask
from firth.config.usages import Finetuning
from firth.encode.load import load_encoder
from firth.errors import FirthError
from firth.tasks.encoders.contextual import BertEncoder, threads
from firth.tasks.encoders.reading import Floats
from firth.tasks.examples.build import build
from firth.tasks.examples.files import Examples, load
from firth.tasks.examples.named import entry_of, files_of, official_set
from firth.tasks.learning.finetune import finetune
from firth.tasks.usages.answering import Answering
from firth.tasks.usages.problems import problem_of
from firth.tasks.usages.usage import Number, TextLabels
from firth.wheels import fetch_package_folder

DATA_VARIABLE = "FIRTH_DATA"
QUICK_EXAMPLES, QUICK_LONG_EXAMPLES, QUICK_EPOCHS = 128, 96, 2
"""As many on the dev side; fewer of the passages that stand in for MRPC's sentences, each as long as is read."""
SQUAD_WINDOW = {"length": 384, "doc_stride": 128}
"""Also of the texts that stand in for SQuAD's."""

Record = dict[str, Any]


class Ours:
    """Our fine-tuning on a task of classes, or of numbers for pairs."""

    def __init__(
        self, encoder: BertEncoder, examples: Examples, settings: Finetuning, count: int, clock: Clock
    ) -> None:
        self.encoder, self.settings, self.threads, self.clock = encoder, settings, count, clock
        self.problem, self.metric = problem_of(examples), str(examples.manifest["metric"])
        self.train = self.problem.read(encoder, examples.train)
        self.dev = self.problem.read(encoder, examples.dev)
        self.targets, usage = self.problem.targets(self.train), self.problem.usage
        if not isinstance(usage, TextLabels | Number):
            raise FirthError(
                f"{examples.manifest['title']}: classes of texts and of pairs, and numbers, are compared here"
            )
        self.usage = usage

    def run(self, seed: int) -> Run:
        """Train and predict."""
        with threads(self.threads):
            started = self.clock()
            tuned = finetune(self.encoder, self.train, self.targets, self.settings, seed)
            trained = self.clock()
            logits = tuned.logits(self.dev)
            return Run(trained - started, self.clock() - trained, logits)

    def score(self, logits: Floats) -> float:
        """The task's own measure, of anyone's logits for the dev side."""
        return self.problem.measures(self.problem.predict(logits, self.dev))[self.metric].score


def columns(examples: Sequence[dict[str, Any]], usage: TextLabels | Number) -> dict[str, list[Any]]:
    """Texts, or pairs of texts, and what is learned of them: places among the labels, or standardised numbers."""
    names = [name for name in ("text", "first", "second") if name in examples[0]]
    if isinstance(usage, Number):
        learned: list[Any] = [(one["score"] - usage.mean) / usage.deviation for one in examples]
    else:
        learned = [usage.labels.index(one["label"]) for one in examples]
    return {**{name: [one[name] for one in examples] for name in names}, "label": learned}


def of_task(
    examples: Examples,
    folder: Path,
    settings: Finetuning,
    seeds: int,
    count: int,
    clock: Clock,
    paddings: Sequence[Padding] = PADDINGS,
    head: Head = "pooler",
) -> list[Record]:
    """Speed and the task's own score, a seed a run, against each way of padding."""
    ours = Ours(BertEncoder(load_encoder(folder), workers=count), examples, settings, count, clock)
    train, dev = columns(examples.train, ours.usage), columns(examples.dev, ours.usage)
    length = int(examples.manifest["length"])
    peers = [Script(folder, train, dev, settings, length, padding, clock, head) for padding in paddings]
    own, others = list[Run](), [list[Run]() for _ in peers]
    for seed in range(1, seeds + 1):
        own.append(ours.run(seed))
        for peer, runs in zip(peers, others, strict=True):
            runs.append(peer.run(seed))
    task = f"{examples.manifest['title']}, {len(examples.train)} examples x {settings.epochs} epochs, {count} thread(s)"
    records = []
    for padding, runs in zip(paddings, others, strict=True):
        case = f"{task}, peer pads {padding}"
        trained, told = settings.epochs * len(examples.train), len(examples.dev)
        pairs = list(zip(own, runs, strict=True))
        records += [
            record(case, "training, examples/s", [(trained / a.training, trained / b.training) for a, b in pairs]),
            record(case, "prediction, examples/s", [(told / a.prediction, told / b.prediction) for a, b in pairs]),
            record(case, ours.metric, [(ours.score(a.logits), ours.score(b.logits)) for a, b in pairs], digits=4),
        ]
    return records


def of_features(examples: Examples, folder: Path, rounds: int, clock: Clock) -> list[Record]:
    """Questions a second that are made into windows, of each side; their texts serve more or fewer questions."""
    encoder, tokenizer = BertEncoder(load_encoder(folder)), tokenizer_of(folder)
    manifest = examples.manifest
    length, stride = int(manifest["length"]), int(manifest["doc_stride"])
    records = []
    for asked in (examples.dev, examples.train):
        answering = Answering(replace(examples, train=asked))
        pairs = []
        for _ in range(rounds):
            started = clock()
            answering.targets(answering.read(encoder, asked))
            between = clock()
            squad_features(tokenizer, asked, length, stride)
            ended = clock()
            pairs.append((len(asked) / (between - started), len(asked) / (ended - between)))
        texts = len({one["context"] for one in asked})
        case = f"{manifest['title']}, features of {len(asked)} questions to {texts} texts, peer by datasets.map"
        records.append(record(case, "questions/s", pairs))
    return records


def record(case: str, metric: str, runs: Sequence[tuple[float, float]], digits: int = 1) -> Record:
    """Of (ours, peer) in neighbouring runs: medians, and the median of the runs' ratios, none where a peer is 0."""
    ratios = [one / other for one, other in runs if other]
    return {
        "case": case,
        "metric": metric,
        "ours": round(statistics.median(one for one, _ in runs), digits),
        "peer": round(statistics.median(other for _, other in runs), digits),
        "ratio": round(statistics.median(ratios), 3) if len(ratios) == len(runs) else None,
        "runs": [[round(one, digits), round(other, digits)] for one, other in runs],
    }


def shown(records: Sequence[Record]) -> Sequence[Record]:
    """Print them."""
    for one in records:
        ratio = "" if one["ratio"] is None else f", x{one['ratio']}"
        print(f"{one['case']}: {one['ours']:,} against {one['peer']:,} {one['metric']}{ratio}", flush=True)
    return records


def examples_of(name: str, instead: str, data: Path | None, **changed: Any) -> Examples:
    """The official set `name` in `data`, or without a folder the demo's task `instead`, with what is `changed`."""
    if data is None:
        entry = load_preset("demo").tasks[instead].model_dump()
    else:
        found = official_set(name)
        entry = entry_of(found)
        for side, path in files_of(found, data).items():
            entry[side] = {"kind": "files", "path": str(path.resolve()), "sha256": file_sha256(path)}
    task: Any = TypeAdapter(AnyTask).validate_python({**entry, **changed})
    with tempfile.TemporaryDirectory() as scratch:
        build(name.replace("/", "-"), task, Path(scratch), Path.cwd())
        return load(Path(scratch))


def subset_of(asked: int | None, quick: bool, official: bool = True) -> dict[str, int]:
    """What the task's entry says of how many examples there are, where it is not all of them."""
    few = QUICK_EXAMPLES if official else QUICK_LONG_EXAMPLES
    count = asked or (few if quick else None)
    return ({"train_examples": count} if count else {}) | ({"dev_examples": few} if quick else {})


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few examples, two epochs, three seeds")
    parser.add_argument("--data", type=Path, default=os.environ.get(DATA_VARIABLE), help="default $FIRTH_DATA")
    parser.add_argument("--task", help="official sets, with commas; default glue/mrpc")
    parser.add_argument("--examples", type=int, help="to train on, a seeded subset; default 128 (quick) or all")
    parser.add_argument("--epochs", type=int, help="default 2 (quick) or 3")
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument(
        "--peer", choices=("both", "longest"), default="both", help="ways of padding: both, or the faster"
    )
    parser.add_argument(
        "--head",
        choices=("pooler", "mean"),
        default="pooler",
        help="the peer's: the scripts' own, or the mean of the tokens as ours, which makes both models the same",
    )
    parser.add_argument(
        "--no-features", action="store_true", help="leave SQuAD's features out, where only scores are asked for"
    )
    parser.add_argument("--model", type=Path, help="folder of a BERT in Hugging Face's form")
    parser.add_argument("--seeds", type=int, help="that many: a run each; default 3 (quick) or 5")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of both sides")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: where others use the machine, too"
    )
    parser.add_argument("--json", type=Path, help="write the records there")
    options = parser.parse_args()
    if options.task and not options.data:
        parser.error(f"--task {options.task}: say with --data where it is")
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    seeds = options.seeds or (3 if options.quick else 5)
    epochs = options.epochs or (QUICK_EPOCHS if options.quick else 3)
    settings = Finetuning(epochs=epochs, learning_rate=options.learning_rate)
    few = subset_of(options.examples, options.quick, official=bool(options.data))
    paddings = PADDINGS if options.peer == "both" else PADDINGS[1:]
    reference = load_preset("demo").evaluation.reference
    assert reference is not None
    folder = options.model or fetch_package_folder(
        reference.package, reference.version, reference.sha256, reference.folder
    )
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    texts, spans = options.data and options.data / "glue", options.data and options.data / "squad"
    records = list[Record]()
    if not options.no_features:
        records += shown(of_features(examples_of("squad", "disflqa", spans, **SQUAD_WINDOW), folder, seeds, clock))
    for task in (options.task or "glue/mrpc").split(","):
        examples = examples_of(task, "boolq", texts, **few)
        records += shown(of_task(examples, folder, settings, seeds, options.threads, clock, paddings, options.head))
    write(records, options.json)


if __name__ == "__main__":
    main()
