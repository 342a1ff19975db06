"""The usages of an encoder: systems side by side, and a few answers with the text that was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from firth.config.tasks import AnyTask
from firth.report.breakdown import breakdown
from firth.report.extent import extent
from firth.report.say import signed
from firth.tasks.evaluation.in_words import how_scored, protocol_in_words
from firth.tasks.measures.answers import exact
from firth.tasks.measures.entities import entities

if TYPE_CHECKING:
    from firth.report.inputs import TaskRun

EXAMPLES = 3
SHORT, LONG = 24, 220
"""Characters of a text that a reader takes in at a glance: such examples are shown first."""

EXCERPT = 260
NEAR = 0.1
"""A number that misses by this part of the dev side's range counts among the right answers."""

NAMES = 4
DECIMALS = 4


def task(run: TaskRun, entry: AnyTask) -> dict[str, Any]:
    """What the page shows of one task, whose parameters are `entry`."""
    found, manifest = run.results, run.manifest
    return {
        "task": run.name,
        "kind": manifest["kind"],
        "title": manifest["title"],
        "licence": manifest["licence"],
        "attribution": manifest["attribution"],
        "metric": found["metric"],
        "examples": {side: int(found["examples"][side]) for side in ("train", "dev")},
        "labels": list(manifest.get("labels", [])),
        "majority": _majority(found.get("majority")),
        "protocol": protocol_in_words(found.get("settings", {})),
        "systems": [_system(row) for row in found["systems"]],
        "official": extent(run, entry),
        "shown": run.shown,
        "worked": worked(manifest["kind"], run.dev, run.answers),
        "breakdown": breakdown(manifest["kind"], run.dev, run.answers),
    }


def worked(
    kind: str, dev: Mapping[str, Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], count: int = EXAMPLES
) -> list[dict[str, Any]]:
    """At most `count` answers, right and wrong ones both where there are both; short texts first.

    Returns:
        `[{"right": bool, "given": [{"name", "text"}], "expected": str, "predicted": str}]`.
    """
    near = NEAR * _range([example["score"] for example in dev.values()]) if kind == "number" else 0.0
    shown = [
        (row, _shown(kind, dev[str(row["id"])], row["predicted"], near)) for row in answers if str(row["id"]) in dev
    ]
    ordered = [entry for _, entry in sorted(shown, key=lambda pair: (*_effort(pair[1]), str(pair[0]["id"])))]
    right = _varied([entry for entry in ordered if entry["right"]])
    wrong = _varied([entry for entry in ordered if not entry["right"]])
    # The commoner kind of answer gets the larger part.
    major, minor = (right, wrong) if len(right) >= len(wrong) else (wrong, right)
    lesser = minor[: count // 3 or 1] if major else minor[:count]
    chosen = [*major[: count - len(lesser)], *lesser]
    return [_cut(entry) for entry in sorted(chosen, key=lambda entry: not entry["right"])]


def _system(row: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {key: None if row.get(key) is None else round(float(row[key]), DECIMALS) for key in ("low", "high")}
    return numbers | {
        "system": row["system"],
        "encoder": row["encoder"],
        "mode": row["mode"],
        "label": row["label"],
        "score": round(float(row["score"]), DECIMALS),
        "seeds": [round(float(score), DECIMALS) for score in row.get("seeds", [])],
        "score_of": how_scored(row),
        "tie": bool(row["tie_with_majority"]),
        "constant": bool(row.get("details", {}).get("constant")),
    }


def _majority(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not found or found.get("score") is None:
        return None
    return {"score": round(float(found["score"]), DECIMALS), "what": str(found["what"])}


def _shown(kind: str, example: Mapping[str, Any], predicted: Any, near: float) -> dict[str, Any]:
    if kind == "span":
        gold = [str(answer["text"]) for answer in example["answers"]]
        return {
            "right": bool(exact(str(predicted or ""), gold)),
            "given": [
                {"name": "question", "text": example["question"]},
                {"name": "text", "text": _around(example["context"], example["answers"])},
            ],
            "expected": gold[0] if gold else "–",
            "predicted": str(predicted) if predicted else "nothing",
        }
    if kind == "tagging":
        tokens = example["tokens"]
        gold, guess = _named(tokens, example["tags"]), _named(tokens, predicted)
        return {
            "right": gold == guess,
            "given": [{"name": "text", "text": " ".join(tokens)}],
            "expected": _listed(gold),
            "predicted": _listed(guess),
        }
    if kind == "choice":
        endings = example["endings"]
        return {
            "right": int(predicted) == int(example["label"]),
            "given": [{"name": "first", "text": example["context"]}],
            "expected": endings[example["label"]],
            "predicted": endings[predicted],
        }
    texts = [("text", "text")] if kind == "text" else [("first", "first"), ("second", "second")]
    if kind == "number":
        return {
            "right": abs(float(predicted) - example["score"]) <= near,
            "given": [{"name": name, "text": example[key]} for name, key in texts],
            "expected": signed(f"{example['score']:.3g}"),
            "predicted": signed(f"{float(predicted):.3g}"),
        }
    return {
        "right": str(predicted) == str(example["label"]),
        "given": [{"name": name, "text": example[key]} for name, key in texts],
        "expected": str(example["label"]),
        "predicted": str(predicted),
    }


def _range(numbers: Sequence[float]) -> float:
    return max(numbers) - min(numbers) if numbers else 0.0


def _named(tokens: Sequence[str], tags: Sequence[str]) -> list[str]:
    """`Germany (LOC)` for each entity, in the order of the text."""
    found = sorted(entities(list(tags)), key=lambda one: one[1])
    return [f"{' '.join(tokens[start:end])} ({kind})" for kind, start, end in found]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more or "no name"


def _around(context: str, answers: Sequence[Mapping[str, Any]]) -> str:
    """The part of a long context that holds the answer."""
    if len(context) <= EXCERPT or not answers:
        return context
    middle = int(answers[0]["start"]) + len(str(answers[0]["text"])) // 2
    start = max(0, min(middle - EXCERPT // 2, len(context) - EXCERPT))
    if start:
        start = context.find(" ", start) + 1 or start
    return ("… " if start else "") + context[start:]


def _effort(entry: Mapping[str, Any]) -> tuple[bool, int]:
    """Readable ones first: neither a scrap nor a whole passage, and with something to say."""
    size = sum(len(str(one["text"])) for one in entry["given"])
    bare = {entry["expected"], entry["predicted"]} <= {"no name", "nothing"}
    return bare or not SHORT <= size <= LONG, abs(size - (SHORT + LONG) // 2)


def _varied(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers take turns: each one given for the first time stands before any that repeats."""
    turn: dict[str, int] = {}
    ranked: list[tuple[int, int, dict[str, Any]]] = []
    for place, entry in enumerate(entries):
        ranked.append((turn.setdefault(entry["predicted"], 0), place, entry))
        turn[entry["predicted"]] += 1
    return [entry for _, _, entry in sorted(ranked, key=lambda item: item[:2])]


def _cut(entry: Mapping[str, Any]) -> dict[str, Any]:
    given = [{"name": one["name"], "text": excerpt(one["text"])} for one in entry["given"]]
    return dict(entry, given=given, expected=excerpt(entry["expected"]), predicted=excerpt(entry["predicted"]))


def excerpt(text: str) -> str:
    """The beginning of `text` in one line, cut at a word."""
    line = " ".join(str(text).split())
    return (
        line
        if len(line) <= EXCERPT
        else line[: line.rfind(" ", 0, EXCERPT) if " " in line[:EXCERPT] else EXCERPT] + " …"
    )
