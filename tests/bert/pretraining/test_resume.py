"""How long a training takes to go on: what its checkpoint holds is read, and nothing is done that was done before."""

import time

import pytest
from fable_training import unwatched
from fables import small_training
from killing import Killed

from firth.bert.data.instances import Instances
from firth.bert.data.plan import Cursor
from firth.bert.data.steps import SAMPLE
from firth.bert.pretraining import continuation, loop
from firth.bert.pretraining import module as lightning_module
from firth.bert.pretraining.train import pretrain
from firth.training.checkpoint import Checkpoints

LATE = 50
"""A step many epochs behind the beginning."""


class Began(BaseException):
    """The first step begins; nothing catches it."""


def broken_off(store, settings, folder, step):
    def killer(at, _metrics):
        if at > step:
            raise Killed

    with pytest.raises(Killed):
        pretrain(store, settings, folder, killer)


def began(*_args):
    raise Began


def test_no_weights_are_drawn_that_the_checkpoint_replaces(store, settings, tmp_path, monkeypatch):
    broken_off(store, settings, tmp_path, 8)
    monkeypatch.setattr(continuation, "initialise", lambda *_: pytest.fail("weights were drawn"))
    monkeypatch.setattr(loop, "first_weights", lambda *_: pytest.fail("weights were drawn"))
    assert pretrain(store, settings, tmp_path, unwatched).steps == settings.steps


def test_no_instance_of_a_step_that_is_done_is_made_again(store, tmp_path, monkeypatch):
    """The position in the data is a cursor: wherever it stands, the first thing that is made are the next instances."""
    settings = small_training(steps=1000, checkpoint_seconds=1e-6, keep=1)
    broken_off(store, settings, tmp_path, LATE)
    newest = max((tmp_path / "checkpoints").iterdir())
    saved = Checkpoints(tmp_path / "checkpoints", loop.Identity.of(store, settings)).latest()
    cursor = Cursor(**saved.state["cursor"])
    assert (newest.name, cursor.epoch > 5) == (f"step-{saved.step:012d}", True)
    made, inner = [], Instances.choose

    def choose(self, epoch, indexes):
        made.append((epoch, int(indexes[0]), len(indexes)))
        return inner(self, epoch, indexes)

    monkeypatch.setattr(Instances, "choose", choose)
    monkeypatch.setattr(lightning_module.BertModule, "training_step", began)
    with pytest.raises(Began):
        pretrain(store, settings, tmp_path, unwatched)
    # Of epoch 0: a sample from which an instance's length is estimated, and the held-out instances.
    again = [one for one in made if one[0] == 0]
    assert len(again) == 2
    assert all(first == 0 and count <= SAMPLE for _, first, count in again)
    assert made[2][:2] == (cursor.epoch, cursor.index)
    # One step is trained, the next is in Lightning's hands, so many are ready, and one is being made.
    assert sum(count for epoch, _, count in made if epoch) <= (loop.STEPS_AHEAD + 3) * settings.batch


@pytest.mark.slow
def test_a_mini_model_goes_on_within_a_second_beside_reading_its_checkpoint(store, tmp_path, monkeypatch):
    """Seconds of the processor, so that what else runs here does not count; the median of five."""
    settings = small_training(steps=100_000, size="mini", checkpoint_seconds=1e9)
    monkeypatch.setattr(loop.Training, "_over", lambda self: self.done.steps == 2)  # ends, and saves, after two steps
    pretrain(store, settings, tmp_path, unwatched)
    monkeypatch.undo()
    monkeypatch.setattr(lightning_module.BertModule, "training_step", began)
    read, latest, found = [], Checkpoints.latest, []

    def timed(self):
        start = time.process_time()
        checkpoint = latest(self)
        read.append(time.process_time() - start)
        return checkpoint

    monkeypatch.setattr(Checkpoints, "latest", timed)
    for _ in range(5):
        start = time.process_time()
        with pytest.raises(Began):
            pretrain(store, settings, tmp_path, unwatched)
        found.append(time.process_time() - start - read[-1])
    assert sorted(found)[2] < 1.0, (found, read)
