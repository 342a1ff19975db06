"""A short model card, the description of a version: data, recipe, scores, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = (
    "Static vectors: one per word form, senses mixed; words outside the vocabulary have none.",
    "They repeat the biases of their text; do not judge people by them.",
    "Cosines tell relatedness, not truth; opposites are often close.",
)
RECIPE_KEYS = ("dim", "window", "negatives", "sample", "learning_rate", "epochs", "seed")


def card(
    model: str,
    *,
    params: Mapping[str, Any],
    corpora: Mapping[str, Mapping[str, str]],
    suites: Mapping[str, Mapping[str, Any]],
    verdict: str,
    reasons: tuple[str, ...],
) -> str:
    """The card as Markdown."""
    recipe = ", ".join(f"{key} {params[key]}" for key in RECIPE_KEYS if key in params)
    lines = [
        f"word2vec {model}: {recipe}." if recipe else f"word2vec {model}.",
        "",
        "**Data**",
        *(f"- {name}: {source['attribution']}. Licence: {source['licence']}" for name, source in corpora.items()),
        "",
        "**Scores** (95% bootstrap intervals, over covered questions)",
        *(f"- {suite}: {_score(part)}" for suite, part in suites.items()),
        "",
        f"**Decision**: {verdict}",
        *(f"- {reason}" for reason in reasons),
        "",
        "**Limits**",
        *(f"- {limit}" for limit in LIMITS),
    ]
    return "\n".join(lines) + "\n"


def _score(part: Mapping[str, Any]) -> str:
    if part.get("score") is None:
        return f"not measured (0 of {part.get('total', 0)} covered)"
    return f"{part['score']:.4f} [{part['low']:.4f}, {part['high']:.4f}], {part['covered']} of {part['total']} covered"
