"""How BERT learned: its curves, what guessing would lose, and the interval in which guessing would land."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from firth.config.load import flatten
from firth.report.scores import thin

if TYPE_CHECKING:
    from firth.report.inputs import BertRun

DECIMALS = 4
SHAPE = ("layers", "hidden", "heads", "intermediate", "positions", "vocabulary")


def pretraining(run: BertRun) -> dict[str, Any]:
    """Figures, curves and the last look at held-out text.

    Returns:
        `{"shape", "parameters", "tokens", "steps", "tokens_per_word", "settings", "fingerprint", "loss", "unigram",
        "heldout", "next_sentence"}`; `heldout` is null where there was no look, `next_sentence` where it is off.
    """
    looks = [(int(row["step"]), row["heldout"]) for row in run.history if row.get("heldout")]
    last = looks[-1][1] if looks else None
    return {
        "shape": {key: run.training["architecture"].get(key) for key in SHAPE},
        "parameters": run.training.get("parameters"),
        "tokens": run.training.get("tokens"),
        "steps": run.training.get("steps"),
        "tokens_per_word": _rounded(run.tokenizer.get("tokens_per_word"), 3),
        "settings": flatten(run.training.get("params", {})),
        "fingerprint": run.training.get("fingerprint"),
        "loss": _curve(run.history, looks, "mlm_loss"),
        "unigram": _rounded(last["unigram_loss"]) if last else None,
        "heldout": _heldout(last) if last else None,
        "next_sentence": _next_sentence(looks),
    }


def chance(instances: int, share: float = 0.5) -> tuple[float, float]:
    """The middle 95 % of the accuracies that guesses, right with probability `share`, have on `instances` pairs."""
    from scipy.stats import binom

    low, high = (float(value) / instances for value in binom.ppf([0.025, 0.975], instances, share))
    return round(low, DECIMALS), round(high, DECIMALS)


def _heldout(look: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "loss": _rounded(look["mlm_loss"]),
        "accuracy": _rounded(look["mlm_accuracy"]),
        "gain": _rounded(look["unigram_loss"] - look["mlm_loss"]),
        "predictions": int(look["predictions"]),
        "instances": int(look["instances"]),
    }


def _next_sentence(looks: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, Any] | None:
    points = [[step, _rounded(look["nsp_accuracy"])] for step, look in looks if look.get("nsp_accuracy") is not None]
    if not points:
        return None
    last = looks[-1][1]
    # Always giving the commoner answer takes no reading either, and the two answers are not equally common.
    guess = float(last["nsp_majority"])
    low, high = chance(int(last["instances"]), guess)
    accuracy = points[-1][1]
    verdict = "within" if low <= accuracy <= high else "above" if accuracy > high else "below"
    return {
        "points": points,
        "accuracy": accuracy,
        "loss": _rounded(last["nsp_loss"]),
        "instances": int(last["instances"]),
        "guess": _rounded(guess),
        "low": low,
        "high": high,
        "chance": verdict,
    }


def _curve(
    history: Sequence[Mapping[str, Any]], looks: Sequence[tuple[int, Mapping[str, Any]]], key: str
) -> dict[str, list[list[float]]]:
    train = [(float(row["step"]), float(row[key])) for row in history if row.get(key) is not None]
    heldout = [(float(step), float(look[key])) for step, look in looks if look.get(key) is not None]
    return {"train": thin(train), "heldout": thin(heldout)}


def _rounded(value: float | None, decimals: int = DECIMALS) -> Any:
    return None if value is None else round(float(value), decimals)
