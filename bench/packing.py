"""Packed against padded pretraining at length 512: the same model, text and step, in real tokens a second.

    python -m bench.packing --quick                             # mini, fp32, a few minutes on 2 cores
    python -m bench.packing --accelerator cuda --json speed.json    # base, bf16, both sides compiled

The padded side is what packing takes the place of: rows of 512 tokens each, whatever an instance has, and attention
with a mask over them; its heads, too, read predicted positions only. How much packing gains is a matter of the text:
the share of padding stands beside each figure. Text and timing are those of `bench.bert`.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from bench.pretraining import (
    Ours,
    Rows,
    Speed,
    add_options,
    compared,
    say,
    settings_of,
    store_of,
    write,
)

from firth.bert.data.instances import Batch
from firth.bert.data.packing import IGNORED
from firth.bert.model import Pretraining
from firth.bert.pretraining.losses import cross_entropy
from firth.choices import Size
from firth.config.bert import Bert
from firth.wordpiece.store import TokenStore


class Padded(Rows):
    """Our model on rows of the full length; shapes are fixed, so that it can be compiled, too."""

    def __init__(self, ours: Ours) -> None:
        settings = ours.settings
        rows = settings.batch * max(1, round(settings.length / ours.made.phases[0].mean))
        steps = ours.padded(16, rows, settings.batch, settings.length)
        most = max(len(batch.predicted) for step in steps for batch in step)
        model = Pretraining(ours.model.architecture)
        model.load_state_dict(ours.model.state_dict())
        super().__init__(ours, model, [[_fixed(batch, most) for batch in step] for step in steps])
        self.forward = torch.compile(self.model) if settings.compile else self.model

    def loss(self, batch: Batch) -> torch.Tensor:
        """Of both tasks."""
        logits = self.forward(batch.ids, batch.segments, batch.mask, batch.predicted)
        assert batch.next_sentence_labels is not None
        words = cross_entropy(logits.mlm, batch.masked_lm_labels) / (batch.masked_lm_labels != IGNORED).sum()
        return words + cross_entropy(logits.nsp, batch.next_sentence_labels) / len(batch.ids)

    def __call__(self, count: int) -> Speed:
        """The speed over `count` steps, with the same library of products as ours."""
        with self.device.reproducible(self.settings.threads):
            return super().__call__(count)


def _fixed(batch: Batch, predictions: int) -> Batch:
    """`batch` with a mask in any case, and so many predictions, the spare ones `IGNORED`."""
    spare = predictions - len(batch.predicted)
    return batch._replace(
        mask=torch.ones(batch.ids.shape, dtype=torch.bool) if batch.mask is None else batch.mask,
        predicted=torch.nn.functional.pad(batch.predicted, (0, spare)),
        masked_lm_labels=torch.nn.functional.pad(batch.masked_lm_labels, (0, spare), value=IGNORED),
    )


def against_padding(store: TokenStore, settings: Bert, runs: int, steps: int) -> list[dict[str, Any]]:
    """Records of one size."""
    ours = Ours(store, settings)
    padded = Padded(ours)
    rounds = [(ours(steps), padded(steps)) for _ in range(runs)]
    where = "GPU" if ours.device.kind == "cuda" else f"{settings.threads} thread(s)"
    case = (
        f"{settings.size} {settings.precision}, length {settings.length}, {where}, packed, against rows of which "
        f"{padded.padding:.0%} is padding"
    )
    return compared(case, rounds, ours)


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three runs, not five")
    parser.add_argument("--size", help="default mini; GPU base")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--steps", type=int, help="timed in each run; default 8")
    add_options(parser)
    options = parser.parse_args()
    gpu = options.accelerator == "cuda"
    size: Size = options.size or ("base" if gpu else "mini")
    settings = settings_of(size, "bf16" if gpu else "fp32", options.threads, options.length, options.accelerator)
    settings = settings.model_copy(update={"packing": True})
    with store_of(options) as store:
        records = against_padding(store, settings, 3 if options.quick else 5, options.steps or 8)
    for record in records:
        say(record)
    write(records, options.json)


if __name__ == "__main__":
    main()
