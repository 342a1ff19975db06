"""Pretraining speed of BERT beside transformers': same size, batches, optimizer and precision, alternating runs.

    python -m bench.bert --quick --vocabulary 30522             # mini, fp32, about 3 minutes on 2 cores
    python -m bench.bert --quick --vocabulary 8000
    python -m bench.bert --quick --vocabulary 30522 --sizes base
    python -m bench.bert --json speed.json                      # mini and small, fp32 and bf16, five runs
    python -m bench.bert --accelerator cuda --json speed.json   # base at lengths 128 and 512, bf16, packed, compiled

The text is the token store of this clone (`data/tokens/pieces`, after `make demo`) or that of `--store`; without one,
or for a vocabulary that is asked for, it is made from the prepared corpus or, with `FIRTH_DATA` set, from the Wikipedia
articles there; `--drawn` draws words where there is no text. Only training steps are timed, in tokens a second of wall
time, padding not counted. transformers' BertForPreTraining is given our batches ready made: once with labels for every
position, as its scripts do, and once with its head on the predicted positions only, as ours. Our side makes its
instances while it trains. On a GPU a step of both has as many tokens, ours packed and compiled, theirs padded to the
longest row of a micro batch and run as it is. MFU is what `firth.bert.pretraining.meters` counts, of the same useful
work on both sides. A ratio is the median over the ratios of neighbouring runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
from bench.pretraining import (
    Ours,
    Transformers,
    add_options,
    compared,
    say,
    settings_of,
    store_of,
    write,
)

from firth.choices import Size
from firth.config.bert import Bert
from firth.wordpiece.store import TokenStore

SLOW = ("base", "large")
"""On a CPU: three timed steps of them take as long as a dozen of the others."""


def training(store: TokenStore, settings: Bert, runs: int, steps: int) -> Iterator[dict[str, Any]]:
    """Ours against both ways of theirs."""
    ours = Ours(store, settings)
    sides = (ours, Transformers(ours, full_logits=True), Transformers(ours, full_logits=False))
    rounds = [tuple(side(steps) for side in sides) for _ in range(runs)]
    where = "GPU" if ours.device.kind == "cuda" else f"{settings.threads} thread(s)"
    for column, what in ((1, "as its scripts do"), (2, "head on predicted positions")):
        case = (
            f"{settings.size} {settings.precision}, vocabulary {len(store.tokenizer)}, length {settings.length}, "
            f"{where}, transformers {what}"
        )
        yield from compared(case, [(found[0], found[column]) for found in rounds], ours)


def making(store: TokenStore, settings: Bert, runs: int, consumed: float) -> dict[str, Any]:
    """Instances made a second on one thread, against the `consumed` tokens a second of the model."""
    ours = Ours(store, settings)
    tokens = np.mean([step.tokens / step.instances for step in ours.steps(10)])
    steps, found = -(-16_000 // settings.batch), []
    for _ in range(runs):
        started = time.perf_counter()
        count = sum(step.instances for step in ours.steps(steps))
        found.append(count / (time.perf_counter() - started))
    needed = consumed / float(tokens)
    return {
        "case": f"instances made on one thread, against what {settings.size} {settings.precision} consumes",
        "metric": "instances/s",
        "ours": round(statistics.median(found)),
        "peer": round(needed, 1),
        "ratio": round(statistics.median(found) / needed, 1),
        "runs": [[round(one), round(needed, 1)] for one in found],
    }


def options_of() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="on a CPU mini in fp32 only; three runs")
    parser.add_argument("--steps", type=int, help="timed in each run; default 12, base and large on a CPU 3")
    parser.add_argument("--sizes", default="", help="such as mini,base; default mini (quick), mini and small; GPU base")
    parser.add_argument("--lengths", default="", help="such as 128,512; default 128; GPU both")
    parser.add_argument("--precisions", default="", help="fp32,bf16; default fp32 (quick), both; GPU bf16")
    add_options(parser)
    options = parser.parse_args()
    gpu = options.accelerator == "cuda"
    options.sizes = (options.sizes or ("base" if gpu else "mini" if options.quick else "mini,small")).split(",")
    options.precisions = (options.precisions or ("bf16" if gpu else "fp32" if options.quick else "fp32,bf16")).split(
        ","
    )
    options.lengths = [int(length) for length in (options.lengths or ("128,512" if gpu else "128")).split(",")]
    if unknown := set(options.sizes) - set(get_args(Size)):
        parser.error(f"--sizes: {', '.join(sorted(unknown))}; there are {', '.join(get_args(Size))}")
    return options


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    options = options_of()
    gpu, runs = options.accelerator == "cuda", 3 if options.quick else 5
    records: list[dict[str, Any]] = []
    with store_of(options) as store:
        print(f"vocabulary {len(store.tokenizer)}, {runs} alternating runs", flush=True)
        for size in options.sizes:
            steps = options.steps or (3 if size in SLOW and not gpu else 12)
            for length in options.lengths:
                for precision in options.precisions:
                    settings = settings_of(size, precision, options.threads, length, options.accelerator)
                    found = list(training(store, settings, runs, steps))
                    if not records:
                        found.append(making(store, settings, runs, found[0]["ours"]))
                    for record in found:
                        say(record)
                    records += found
                    write(records, options.json)


if __name__ == "__main__":
    main()
