"""The curve of a training, and what a checkpoint keeps of it."""

import pytest
from fable_training import unwatched

from firth.bert.pretraining.curve import Curve
from firth.bert.pretraining.module import Losses
from firth.canonical import dumps
from firth.training.metrics_log import MetricsLog

LOOK = {
    "mlm_loss": 2 / 3, "mlm_accuracy": 0.1, "nsp_loss": None, "nsp_accuracy": None, "nsp_majority": None,
    "unigram_loss": 5.0, "predictions": 9000, "instances": 512,
}  # fmt: skip


def grown(curve, steps, first=1):
    """`steps` more steps, a row each ten, a look each hundred."""
    for step in range(first, first + steps):
        curve.add(Losses(step / 7, 3, step / 11, 0 if step % 20 else 2, 1.0))
        if step % 10 == 0:
            curve.row(step, 31 * step, 1e-4 / step, LOOK if step % 100 == 0 else None, {}, {"skipped_updates": step})
    return curve


@pytest.mark.parametrize("stopped", [5, 10, 199, 205])
def test_it_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path, stopped):
    whole = grown(Curve(tmp_path / "whole", unwatched), 300)
    before = grown(Curve(tmp_path / "run", unwatched), stopped)
    state, rows = before.state, before.rows
    grown(before, 40, stopped + 1)  # done again by the one that goes on
    after = Curve(tmp_path / "run", unwatched)
    after.restore(state, rows, stopped)
    assert after.history == whole.history[: stopped // 10]
    grown(after, 300 - stopped, stopped + 1)
    assert dumps(after.history) == dumps(whole.history)
    assert after.state == whole.state
    assert after.rows.tobytes() == whole.rows.tobytes()
    assert list(MetricsLog(tmp_path / "run").read()) == list(MetricsLog(tmp_path / "whole").read())


def test_what_a_checkpoint_says_does_not_grow_with_the_history(tmp_path):
    curve, sizes = Curve(tmp_path, unwatched), {}
    for steps in (100, 10_000):
        grown(curve, steps - 10 * len(curve.history), 10 * len(curve.history) + 1)
        sizes[steps] = len(dumps(curve.state))
    assert len(curve.history) == 1000
    assert sizes[10_000] < sizes[100] + 100
    assert len(curve.rows) < 250 * len(curve.history)
    assert curve.rows.dtype == "uint8"
    assert curve.rows.tobytes().count(b"\n") == len(curve.history)
