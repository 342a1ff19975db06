import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from fable_training import unwatched
from fables import fable_store, small_training
from killing import Killed
from safetensors.numpy import load_file

from firth.bert.pretraining import loop
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.outputs import RATES, SCHEDULE, write_outputs
from firth.bert.pretraining.replay import Recorded
from firth.bert.pretraining.train import pretrain
from firth.canonical import file_sha256, read_json, write_json
from firth.config.bert import HeldOut, Optimizer
from firth.errors import DataError, IntegrityError
from firth.training.checkpoint import Checkpoints


def by_the_clock(minutes=0.2, **changes):
    optimizer = Optimizer(learning_rate=2e-3, warmup_steps=4)
    return small_training(**{"steps": 10_000_000, "minutes": minutes, "optimizer": optimizer, **changes})


def written(folder, store, settings, trained, rates=None):
    write_outputs(folder, Identity.of(store, settings, rates=rates), trained)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


class Clock:
    """Each look at it takes a tenth of a second."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 0.1
        return self.now


@pytest.fixture(scope="module")
def model(store, tmp_path_factory):
    """A model that was trained by a clock that no other work makes late: about 30 steps of 0.4 s."""
    root = tmp_path_factory.mktemp("timed")
    settings = by_the_clock(checkpoint_seconds=60.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "time", SimpleNamespace(monotonic=Clock().monotonic))
        return written(root / "model", store, settings, pretrain(store, settings, root / "run", unwatched))


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=Clock().monotonic))


def test_a_training_by_the_clock_is_repeated_to_the_byte(model, store, tmp_path):
    recorded = Recorded.of(model)
    steps = read_json(model / "training.json")["steps"]
    assert recorded.rates.shape == (steps,)
    assert steps > 20
    assert recorded.settings == by_the_clock(checkpoint_seconds=recorded.settings.checkpoint_seconds)
    recorded.check(store, "")
    killed = []

    def killer(step, _metrics):
        killed.append(step)
        if len(killed) == 2:
            raise Killed

    frequent = recorded.settings.model_copy(update={"checkpoint_seconds": 1e-6})
    with pytest.raises(Killed):
        pretrain(store, frequent, tmp_path, killer, rates=recorded.rates)
    again = pretrain(store, frequent, tmp_path, unwatched, rates=recorded.rates)
    np.testing.assert_array_equal(again.rates, recorded.rates)
    assert again.history == read_json(model / "history.json")
    second = written(tmp_path / "again", store, frequent, again, recorded.rates)
    assert file_sha256(second / "model.safetensors") == recorded.weights
    assert "byte for byte" in recorded.compared(second)
    # The repetition is itself one that can be repeated, and another training than the first.
    twice = Recorded.of(second)
    np.testing.assert_array_equal(twice.rates, recorded.rates)
    assert twice.inputs["bert.replay"] == hashlib.sha256(recorded.rates.tobytes()).hexdigest()
    assert twice.fingerprint != recorded.fingerprint


def test_the_schedule_ends_with_the_time(model):
    rates = load_file(model / SCHEDULE)[RATES]
    assert rates.max() == pytest.approx(2e-3, rel=0.6)
    assert rates[-1] < rates.max()
    assert [row["learning_rate"] for row in read_json(model / "history.json")] == [
        rates[row["step"] - 1] for row in read_json(model / "history.json")
    ]


def test_other_text_another_model_and_other_code_are_told(model, store, tmp_path, capsys):
    recorded = Recorded.of(model)
    with pytest.raises(IntegrityError, match=r"the token store was [0-9a-f]{12}…, here it is [0-9a-f]{12}…"):
        recorded.check(fable_store(tmp_path / "other", heldout=4), "")
    with pytest.raises(IntegrityError, match=r"the model to go on from \(--init\) was none, here it is aaaaaaaaaaaa…"):
        recorded.check(store, "a" * 64)
    assert capsys.readouterr().err == ""
    older = read_json(model / "training.json") | {"fingerprint": "0" * 64}
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_json(tmp_path / "training.json", older)
    Recorded.of(tmp_path).check(store, "")
    assert "another version of this code" in capsys.readouterr().err
    (tmp_path / "model.safetensors").write_bytes(b"other")
    assert "not those of" in recorded.compared(tmp_path)


def test_what_cannot_be_repeated_is_refused_in_a_sentence(model, tmp_path):
    with pytest.raises(DataError, match=r"no model that can be trained again: it has no training\.json"):
        Recorded.of(tmp_path)
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / SCHEDULE).unlink()
    with pytest.raises(IntegrityError, match=r"schedule\.safetensors: not the schedule of a training"):
        Recorded.of(tmp_path)
    whole = read_json(model / "training.json")
    (tmp_path / SCHEDULE).write_bytes((model / SCHEDULE).read_bytes())
    write_json(tmp_path / "training.json", whole | {"steps": whole["steps"] + 1})
    with pytest.raises(IntegrityError, match=rf"but the training had {whole['steps'] + 1} steps"):
        Recorded.of(tmp_path)
    for broken in (whole | {"params": whole["params"] | {"lenght": 5}}, {"params": whole["params"]}, []):
        write_json(tmp_path / "training.json", broken)
        with pytest.raises(IntegrityError, match="not the record of a training that this version can do again"):
            Recorded.of(tmp_path)


@pytest.mark.usefixtures("clock")
def test_time_that_was_used_before_a_kill_stays_used(store, tmp_path):
    settings = by_the_clock(0.2, heldout=HeldOut(every=1000, instances=16))  # about 30 steps of 0.4 s
    whole = pretrain(store, settings, tmp_path / "whole", unwatched)
    calls = []

    def killer(step, _metrics):
        calls.append(step)
        if len(calls) == 2:
            raise Killed

    with pytest.raises(Killed):
        pretrain(store, settings, tmp_path / "run", killer)
    assert calls == [10, 20]
    saved = Checkpoints(tmp_path / "run" / "checkpoints", Identity.of(store, settings)).latest()
    assert saved.step == 19
    assert 0.3 * 19 < saved.state["seconds"] < 0.5 * 19
    assert len(saved.arrays[loop.RATES]) == 19
    resumed = pretrain(store, settings, tmp_path / "run", unwatched)
    assert abs(resumed.steps - whole.steps) <= 1
    assert len(resumed.rates) == resumed.steps
    np.testing.assert_allclose(resumed.rates[:19], whole.rates[:19])  # the two clocks differ in the last bit
    assert resumed.rates[-1] < 0.1 * resumed.rates.max()


@pytest.mark.usefixtures("clock")
def test_looks_and_checkpoints_take_their_part_of_the_time(store, tmp_path):
    """Five looks at the clock each time: a checkpoint after every step makes them fewer."""
    seldom = pretrain(store, by_the_clock(0.1, checkpoint_seconds=1e6), tmp_path / "seldom", unwatched)
    often = pretrain(store, by_the_clock(0.1), tmp_path / "often", unwatched)
    assert often.steps < 0.85 * seldom.steps


def test_a_budget_of_tokens_ends_in_the_middle_and_repeats_itself(store, tmp_path):
    settings = small_training(steps=10_000_000, tokens=3000)
    trained = pretrain(store, settings, tmp_path / "one", unwatched)
    per_step = trained.tokens / trained.steps
    assert 3000 <= trained.tokens < 3000 + 1.5 * per_step
    assert 0 < trained.history[-1]["learning_rate"] < 2e-3 * 1.5 * per_step / 3000 / 0.5
    assert trained.history[-1]["step"] == trained.steps
    assert "heldout" in trained.history[-1]
    assert trained.rates is None
    again = pretrain(store, settings, tmp_path / "two", unwatched)
    assert again.history == trained.history
    folder = written(tmp_path / "model", store, settings, trained)
    assert not (folder / SCHEDULE).exists()
    assert Recorded.of(folder).rates is None
