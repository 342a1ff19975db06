"""How well BERT guesses the words that it cannot see, as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firth.config.bert import Bert as Settings

if TYPE_CHECKING:
    from firth.report.inputs import BertRun


def hidden_words(run: BertRun) -> dict[str, Any] | None:
    """`{"positions", "loss", "unigram", "gain", "accuracy"}` where [MASK] stands, nats; None without held-out text.

    Of a model that reads from left to right: on the words that the same masking would have hidden.
    """
    from firth.bert.pretraining import hidden
    from firth.bert.pretraining.loop import HELDOUT_SEED
    from firth.encode.load import load_model
    from firth.wordpiece.store import TokenStore

    bert, store = load_model(run.folder), TokenStore.open(run.store_folder)
    settings = Settings.model_validate(run.training["params"])
    length = min(settings.length, bert.model.architecture.positions)
    causal = settings.objective == "left_to_right"
    found = hidden.hidden_words(bert, store, settings.model_copy(update={"length": length}), HELDOUT_SEED, causal)
    if found is None:
        return None
    return {
        "positions": found.positions,
        "loss": round(found.loss, 3),
        "unigram": round(found.unigram, 3),
        "gain": round(found.unigram - found.loss, 3),
        "accuracy": round(found.accuracy, 4),
    }
