"""How well BERT guesses the words that it cannot see.

Of the positions that pretraining predicts, one in ten shows its own word (section 3.1, task 1): a model soon learns to
repeat what it sees there, and its loss falls without a glance at the context. The positions under [MASK] tell more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firth.config.bert import Bert as Settings

if TYPE_CHECKING:
    from firth.report.inputs import BertRun

SEED = 20_181_011
"""Of the instances, as at the training's own looks."""


def hidden_words(run: BertRun) -> dict[str, Any] | None:
    """`{"positions", "loss", "unigram", "gain", "accuracy"}` where [MASK] stands, nats; None without held-out text."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    from firth.bert.evaluation import HeldOut, unigram_losses
    from firth.encode.load import load_model
    from firth.wordpiece.store import TokenStore

    bert, store = load_model(run.folder), TokenStore.open(run.store_folder)
    settings = Settings.model_validate(run.training["params"])
    length = min(settings.length, bert.model.architecture.positions)
    held = HeldOut.of(store, settings.model_copy(update={"length": length}), SEED)
    if held is None:
        return None
    by_frequency = torch.from_numpy(unigram_losses(store.unigrams))
    losses, guesses, right = [], [], []
    with torch.inference_mode():
        for batch in held.batches:
            hidden = batch.ids[batch.predicted] == bert.tokenizer.mask
            labels = batch.masked_lm_labels[hidden]
            logits = bert.model.packed(batch.ids, batch.segments, batch.layout, batch.predicted[hidden]).mlm
            losses.append(F.cross_entropy(logits, labels, reduction="none"))
            guesses.append(by_frequency[labels])
            right.append(logits.argmax(-1) == labels)
    positions = sum(map(len, losses))
    if not positions:
        return None
    loss, unigram = (float(torch.cat(part).double().mean()) for part in (losses, guesses))
    return {
        "positions": positions,
        "loss": round(loss, 3),
        "unigram": round(unigram, 3),
        "gain": round(unigram - loss, 3),
        "accuracy": round(float(torch.cat(right).double().mean()), 4),
    }
