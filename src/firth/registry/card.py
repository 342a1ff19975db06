"""A short model card, the description of a version: data, recipe, scores, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firth.config.load import flatten
from firth.registry.footprint import Footprint
from firth.tracking.evidence import MLM
from firth.tracking.trained import WORD_MODELS

WORD_LIMITS = (
    "Static vectors: one per word form, senses mixed; words outside the vocabulary have none.",
    "They repeat the biases of their text; do not judge people by them.",
    "Cosines tell relatedness, not truth; opposites are often close.",
)
BERT_LIMITS = (
    "It fills gaps with what its text makes likely, not with what is true.",
    "It repeats the biases of its text; do not judge people by it.",
    "A score that is no better than the majority answer says that nothing was learnt for that task.",
)
LEFT_TO_RIGHT_LIMIT = (
    "It was trained to read from left to right, for a study: loaded as a plain BERT, which reads both sides, its "
    "fill-mask answers and vectors mean little."
)
WORD_RECIPE = ("dim", "window", "negatives", "sample", "learning_rate", "epochs", "seed")
BERT_RECIPE = (
    "size", "length", "batch", "steps", "optimizer.learning_rate", "objective", "masking.rate", "masking.whole_words",
    "next_sentence", "seed",
)  # fmt: skip


def card(
    model: str,
    *,
    params: Mapping[str, Any],
    corpora: Mapping[str, Mapping[str, Any]],
    init_sha256: str | None,
    suites: Mapping[str, Mapping[str, Any]],
    cost: Footprint,
    verdict: str,
    reasons: tuple[str, ...],
) -> str:
    """The card as Markdown. Scores are said with the `metric` and the `mode` that `suites` give them."""
    static = model in WORD_MODELS
    name, keys = (f"word2vec {model}", WORD_RECIPE) if static else ("BERT", BERT_RECIPE)
    flat = flatten(params)
    recipe = ", ".join(f"{key} {flat[key]}" for key in keys if flat.get(key) not in (None, ""))
    limits = (*_own_limits(static, flat, corpora, suites), *(WORD_LIMITS if static else BERT_LIMITS))
    if flat.get("objective") == "left_to_right":
        limits = (*limits, LEFT_TO_RIGHT_LIMIT)
    lines = [
        f"{name}: {recipe}." if recipe else f"{name}.",
        *([f"It went on from a model with weights sha256 {init_sha256}."] if init_sha256 else []),
        "",
        "**Data**",
        *(f"- {corpus}: {_source(source)}" for corpus, source in corpora.items()),
        "",
        "**Scores** (95% bootstrap intervals over examples; the model itself was trained once, with one seed)",
        *(f"- {suite}: {_score(suite, part)}" for suite, part in suites.items()),
        "",
        f"**Cost**: {_cost(cost)}",
        "",
        f"**Decision**: {verdict}",
        *(f"- {reason}" for reason in reasons),
        "",
        "**Limits**",
        *(f"- {limit}" for limit in limits),
    ]
    return "\n".join(lines) + "\n"


def _own_limits(
    static: bool,
    flat: Mapping[str, Any],
    corpora: Mapping[str, Mapping[str, Any]],
    suites: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """What is true of this very model: how much it has read, in which language, and what nobody asked it."""
    limits = []
    counted = [source for source in corpora.values() if "words" in source]
    if counted:
        documents, words = (sum(source[key] for source in counted) for key in ("documents", "words"))
        unknown = "" if len(counted) == len(corpora) else ", beside what nobody counted"
        limits.append(
            f"It knows the {words:,} words of {documents:,} documents{unknown}, and nothing else of the world."
        )
    languages = sorted({source["language"] for source in corpora.values() if "language" in source})
    if languages:
        said = ", ".join(languages)
        limits.append(f"Its text was prepared as language {said}; whether all of it is was not checked.")
    if not static:
        lengths = [flat["length"], *([flat["second_phase.length"]] if flat.get("second_phase.share") else [])]
        limits.append(f"It was trained on sequences of at most {max(lengths)} tokens.")
    measured = [suite for suite, part in suites.items() if part.get("score") is not None]
    only = f"on {', '.join(measured)} alone" if measured else "on nothing"
    limits.append(f"It was evaluated {only}: not on other tasks, languages or kinds of text, nor for bias.")
    return limits


def _source(source: Mapping[str, Any]) -> str:
    size = f" ({source['documents']:,} documents, {source['words']:,} words)" if "words" in source else ""
    return f"{source['attribution']}{size}. Licence: {source['licence']}"


def _cost(cost: Footprint) -> str:
    answer = "" if cost.milliseconds is None else f", {cost.milliseconds:g} ms an answer on one CPU thread"
    return f"{cost.megabytes:g} MB{answer}"


def _score(suite: str, part: Mapping[str, Any]) -> str:
    covered, total = part.get("covered", 0), part.get("total", 0)
    if part.get("score") is None:
        return f"not measured (0 of {total} covered)"
    if suite == MLM:
        return f"{part['score']:.4f} nats below word frequencies, on {total} held-out predictions; without an interval"
    metric = f"{part['metric']} " if part.get("metric") else ""
    text = f"{metric}{part['score']:.4f} [{part['low']:.4f}, {part['high']:.4f}]"
    if part.get("mode"):
        text += f", {part['mode']}"
    if part.get("score_of"):
        text += f", {part['score_of']}"
    if part.get("seeds"):
        least, greatest = part["seeds"]
        text += f" (from {least:.4f} to {greatest:.4f})"
    if part.get("tie_with_majority"):
        text += ", a tie with the majority answer"
    return f"{text}, {covered} of {total} covered" if covered != total else f"{text}, {total} examples"
