"""Every drawing of the page, out of `report.json`, by the name under which the templates ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from firth.report.collect import SUITES
from firth.report.say import CORRELATIONS, capital, measured, section, signed
from firth.report.svg import (
    antonym_chart,
    attention_chart,
    bar_chart,
    chance_chart,
    head_thumbnail,
    interval_chart,
    loss_chart,
    map_chart,
    relation_chart,
    sense_chart,
    span,
    static_chart,
    strength_key,
    strip_chart,
    system_chart,
)

ENCODER_CLASSES = ("skipgram", "cbow", "random", "bert", "reference")


def word_charts(report: Mapping[str, Any]) -> dict[str, Any]:
    """The drawings about word vectors."""
    models = {name: report["models"][name] for name in report["order"]}
    limits = span([model["antonym_study"] for model in models.values()])
    return {
        "loss": {name: loss_chart(f"loss-{name}", model["label"], model["loss"]) for name, model in models.items()},
        "antonyms": {
            name: antonym_chart(f"antonyms-{name}", name, model["label"], model["antonyms"])
            for name, model in models.items()
        },
        "antonym_study": {
            name: strip_chart(f"antonym-study-{name}", name, model["label"], model["antonym_study"], limits)
            for name, model in models.items()
        },
        "map": {name: map_chart(f"map-{name}", model["label"], model["map"]) for name, model in models.items()},
        "relations": {
            name: [
                relation_chart(f"relation-{name}-{i}", name, model["label"], relation)
                for i, relation in enumerate(model["relations"])
            ]
            for name, model in models.items()
        },
        "analogies": _analogy_chart(models),
        "similarity": _similarity_chart(models),
    }


def bert_charts(report: Mapping[str, Any]) -> dict[str, Any]:
    """The drawings about BERT and the tasks."""
    bert = report["bert"]
    level = None if bert["unigram"] is None else ("piece frequencies", bert["unigram"])
    following = bert["next_sentence"]
    return {
        "pretraining": loss_chart("loss-bert", bert["label"], bert["loss"], unit="steps", level=level),
        "next_sentence": chance_chart("next-sentence", f"{bert['label']}: next sentence", following)
        if following
        else "",
        "fill": _fill_charts(report["fill"]),
        "attention": _attention_charts(report["attention"]),
        "ambiguous": _ambiguous_charts(report["ambiguous"]),
        "tasks": {one["task"]: _task_chart(one) for one in report["tasks"]},
    }


def _fill_charts(sentences: list[Any]) -> list[list[Markup]]:
    shares = [one["probability"] for entry in sentences for mask in entry["masks"] for one in mask]
    widest = max(shares, default=1.0)
    return [
        [
            bar_chart(
                f"fill-{i}-{j}",
                "Likeliest fillings",
                [(one["piece"], one["probability"]) for one in mask],
                widest,
                "bert",
            )
            for j, mask in enumerate(entry["masks"])
        ]
        for i, entry in enumerate(sentences)
    ]


def _attention_charts(found: Mapping[str, Any]) -> dict[str, Any]:
    layer, chosen, top = found["layer"], found["head"], found["top"]
    return {
        "chosen": attention_chart(
            "attention",
            f"Attention of head {chosen + 1} in layer {layer + 1}",
            found["pieces"],
            found["heads"][chosen],
            top,
            "bert",
        ),
        "others": [
            (i + 1, head_thumbnail(f"attention-{i}", f"Head {i + 1} in layer {layer + 1}", weights, top, "bert"))
            for i, weights in enumerate(found["heads"])
            if i != chosen
        ],
        "key": strength_key("attention-key", top, found["even"], "bert"),
    }


def _ambiguous_charts(found: Mapping[str, Any] | None) -> dict[str, Any]:
    if found is None:
        return {}
    word, sentences = found["word"], found["sentences"]
    drawn: dict[str, Any] = {
        one["encoder"]: sense_chart(f"senses-{one['encoder']}", f"{one['label']}: {word}", sentences, one["points"])
        for one in found["encoders"]
    }
    if found["static"]["known"]:
        drawn["static"] = static_chart("senses-static", f"{found['static']['label']}: {word}", word, len(sentences))
    return drawn


def _task_chart(task: Mapping[str, Any]) -> Markup:
    rows = []
    for system in task["systems"]:
        low, high = (system["score"] if system[end] is None else system[end] for end in ("low", "high"))
        rows.append(
            {
                "model": system["encoder"] if system["encoder"] in ENCODER_CLASSES else "random",
                "label": capital(system["label"]),
                "hollow": system["mode"] == "frozen",
                "score": system["score"],
                "low": low,
                "high": high,
                "seeds": system["seeds"] if len(system["seeds"]) > 1 else [],
                "remark": "≈ majority" if system["tie"] else "",
            }
        )
    majority = task["majority"]
    return system_chart(
        f"task-{task['task']}",
        f"{task['title']}: systems side by side",
        rows,
        line=("majority", majority["score"]) if majority else None,
        show=lambda value: measured(value, task["metric"]),
        bounds=(-1.0, 1.0) if task["metric"] in CORRELATIONS else (0.0, 1.0),
    )


def _analogy_chart(models: Mapping[str, Mapping[str, Any]]) -> Markup:
    named: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, int] = {}
    for name, model in models.items():
        for row in model["sections"]:
            marks = named.setdefault(row["name"], [])
            totals[row["name"]] = row["total"]
            if row["accuracy"] is not None:
                marks.append(_mark(name, model, row["accuracy"], row))
    if not named:
        return Markup("")
    rows: list[dict[str, Any]] = [
        {"name": section(name), "marks": marks, "note": f"none of {totals[name]:,} questions has all its words here"}
        for name, marks in named.items()
    ]
    top = max((mark["high"] for row in rows for mark in row["marks"]), default=1.0)
    limits = (0.0, min(1.0, max(0.1, top)))
    return interval_chart(
        "analogy-sections",
        "Analogies by section",
        rows,
        limits=limits,
        chance=None,
        show=lambda value: f"{value:.0%}",
    )


def _similarity_chart(models: Mapping[str, Mapping[str, Any]]) -> Markup:
    rows: list[dict[str, Any]] = []
    for suite in ("wordsim353", "simlex999"):
        marks = [
            _mark(name, model, found["score"], found)
            for name, model in models.items()
            if (found := model["scores"].get(suite)) and found["score"] is not None
        ]
        rows.append({"name": SUITES[suite], "marks": marks, "note": "not enough pairs have both words here"})
    if not any(row["marks"] for row in rows):
        return Markup("")
    ends = [mark[key] for row in rows for mark in row["marks"] for key in ("low", "high")]
    limits = (min(-0.1, *ends), max(0.6, *ends))
    return interval_chart(
        "similarity",
        "Word similarity",
        rows,
        limits=limits,
        chance=0.0,
        show=lambda value: signed(f"{value:.2f}".removesuffix(".00")),
    )


def _mark(name: str, model: Mapping[str, Any], value: float, interval: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (value if interval[key] is None else interval[key] for key in ("low", "high"))
    return {"model": name, "label": model["label"], "score": value, "low": low, "high": high}
