import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from killing import Killed, Killer

from firth.errors import DataError, FirthError, IntegrityError
from firth.tokens.store import WordStore
from firth.training.checkpoint import Checkpoints
from firth.training.metrics_log import MetricsLog
from firth.word2vec.cpu.engine import NumbaEngine
from firth.word2vec.train import Identity, train


def unwatched(_step, _metrics):
    pass


def same(first, second):
    np.testing.assert_array_equal(first.matrices["input"], second.matrices["input"])
    np.testing.assert_array_equal(first.matrices["output"], second.matrices["output"])
    assert first.history == second.history
    assert first.metrics == second.metrics


@pytest.fixture(scope="module")
def unbroken(store, settings, tmp_path_factory):
    return {
        model: train(store, model, settings, tmp_path_factory.mktemp(model), unwatched)
        for model in ("skipgram", "cbow")
    }


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_curves_fall_and_say_where_they_are(unbroken, store, model):
    trained = unbroken[model]
    assert trained.matrices["input"].shape == trained.matrices["output"].shape == (40, 16)
    assert trained.words == 6000
    assert [row["step"] for row in trained.history][-1] == 12_000
    assert sum(row["words"] for row in trained.history) == 12_000
    heldout = [row["heldout_loss"] for row in trained.history if "heldout_loss" in row]
    assert len(heldout) == 2
    assert heldout[1] < heldout[0]
    assert trained.metrics == {"train/loss": pytest.approx(trained.metrics["train/loss"]), "heldout/loss": heldout[1]}
    rates = [row["learning_rate"] for row in trained.history]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("killed_at", [1, 5, 6, 8, 11])
def test_broken_off_and_resumed_gives_the_same_bytes(unbroken, store, settings, tmp_path, model, killed_at):
    with pytest.raises(Killed):
        train(store, model, settings, tmp_path, Killer(killed_at))
    assert len(list((tmp_path / "checkpoints").iterdir())) == min(2, killed_at - 1)
    resumed = []
    again = train(store, model, settings, tmp_path, lambda step, _metrics: resumed.append(step))
    same(again, unbroken[model])
    steps = [row["step"] for row in unbroken[model].history]
    assert resumed == steps[killed_at - 1 :]
    assert [line["step"] for line in MetricsLog(tmp_path).read()] == steps


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_without_lightning_it_takes_the_same_steps_to_the_same_bytes(unbroken, store, settings, tmp_path, model):
    same(train(store, model, settings, tmp_path, unwatched, lightning=False), unbroken[model])


def test_a_finished_training_is_not_done_twice(unbroken, store, settings, tmp_path):
    train(store, "cbow", settings, tmp_path, unwatched)
    again = train(store, "cbow", settings, tmp_path, lambda *_: pytest.fail("trained again"))
    same(again, unbroken["cbow"])


def test_a_damaged_newest_checkpoint_costs_its_steps_only(unbroken, store, settings, tmp_path):
    train(store, "cbow", settings, tmp_path, unwatched)
    newest = max((tmp_path / "checkpoints").iterdir())
    (newest / "arrays.safetensors").write_bytes(b"torn")
    same(train(store, "cbow", settings, tmp_path, unwatched), unbroken["cbow"])


@pytest.mark.parametrize("moment", ["in a block", "between blocks"])
def test_sigterm_saves_and_exits_143(unbroken, store, settings, tmp_path, monkeypatch, moment):
    patient = settings.model_copy(update={"checkpoint_seconds": 1e6})
    calls = []
    inner = NumbaEngine.train

    def interrupted(self, *args):
        result = inner(self, *args)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    def note(step, _metrics):
        calls.append(step)
        if moment == "between blocks" and len(calls) == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    if moment == "in a block":
        monkeypatch.setattr(NumbaEngine, "train", interrupted)
    with pytest.raises(SystemExit) as exit_:
        train(store, "skipgram", patient, tmp_path, note)
    assert exit_.value.code == 143
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000000000004"]
    monkeypatch.undo()
    same(train(store, "skipgram", patient, tmp_path, unwatched), unbroken["skipgram"])


@pytest.mark.parametrize("step", [4, 14])
def test_sigterm_while_a_checkpoint_is_written_exits_143_too(unbroken, store, settings, tmp_path, monkeypatch, step):
    inner = Checkpoints.save

    def interrupted(self, at, *args):
        if at == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return inner(self, at, *args)

    monkeypatch.setattr(Checkpoints, "save", interrupted)
    with pytest.raises(SystemExit) as exit_:
        train(store, "skipgram", settings, tmp_path, unwatched)
    assert exit_.value.code == 143
    assert max((tmp_path / "checkpoints").iterdir()).name == f"step-{step:012d}"
    monkeypatch.undo()
    same(train(store, "skipgram", settings, tmp_path, unwatched), unbroken["skipgram"])


def test_another_trainings_checkpoint_is_refused(store, settings, tmp_path):
    train(store, "cbow", settings, tmp_path, unwatched)
    with pytest.raises(IntegrityError, match="another training"):
        train(store, "cbow", settings.model_copy(update={"seed": 2}), tmp_path, unwatched)


def test_identity_is_what_the_vectors_depend_on(store, settings):
    def of(**changes):
        return Identity.of(store, "cbow", settings.model_copy(update=changes)).fingerprint

    assert of() == of(checkpoint_seconds=99.0) == of(skipgram=settings.skipgram.model_copy(update={"epochs": 9}))
    assert len({of(), of(seed=2), of(threads=2), of(cbow=settings.cbow.model_copy(update={"epochs": 9}))}) == 4
    assert Identity.of(store, "skipgram", settings).stage == "word2vec@skipgram"


@pytest.mark.parametrize("broken", ["input", "output"])
def test_a_diverged_training_stops_and_keeps_the_last_good_checkpoint(store, settings, tmp_path, monkeypatch, broken):
    inner, blocks = NumbaEngine.train, []

    def poisoned(self, *args):
        blocks.append(args)
        if len(blocks) == 4:
            getattr(self, broken)[:, 0] = np.nan
        return inner(self, *args)

    monkeypatch.setattr(NumbaEngine, "train", poisoned)
    with pytest.raises(FirthError, match=r"lower the learning rate \(0\.05\)"):
        train(store, "skipgram", settings, tmp_path, unwatched)
    assert max(path.name for path in (tmp_path / "checkpoints").iterdir()) == "step-000000000003"


def test_a_stream_without_neighbours_is_refused(store, settings, tmp_path):
    alone = np.array([0, -1, 1, -1, 2, -1] * 500, np.int32)
    lonely = WordStore(store.folder, store.vocabulary, alone, store.heldout, store.manifest)
    with pytest.raises(DataError, match="nothing was learnt"):
        train(lonely, "cbow", settings, tmp_path, unwatched)
    with pytest.raises(DataError, match="nothing was learnt"):
        train(lonely, "cbow", settings, tmp_path, unwatched)  # from the checkpoint


def test_an_empty_stream_is_refused(store, settings, tmp_path):
    manifest = {**store.manifest, "splits": {"train": {"words": 0}}}
    empty = WordStore(store.folder, store.vocabulary, np.zeros(0, np.int32), store.heldout, manifest)
    with pytest.raises(DataError, match="empty"):
        train(empty, "cbow", settings, tmp_path, unwatched)


def test_without_a_held_out_stream_there_is_no_heldout_loss(store, settings, tmp_path):
    alone = WordStore(store.folder, store.vocabulary, store.train, np.zeros(0, np.int32), store.manifest)
    trained = train(alone, "cbow", settings, tmp_path, unwatched)
    assert set(trained.metrics) == {"train/loss"}


def test_it_trains_in_a_thread_and_shows_only_its_own_lines(store, settings, tmp_path, capfd):
    thread = threading.Thread(target=train, args=(store, "cbow", settings, tmp_path, unwatched))
    thread.start()
    thread.join()
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["word2vec@cbow"]
    assert "words/s" in err
    assert "loss" in err


CHILD = """
import sys, time
from pathlib import Path
from firth.config.word2vec import Recipe, Word2Vec
from firth.tokens.store import WordStore
from firth.word2vec.train import train
recipe = Recipe(learning_rate=0.05, epochs=2)
settings = Word2Vec(dim=16, block_words=1000, checkpoint_seconds=1e-6, skipgram=recipe, cbow=recipe)
def slow(step, _metrics):
    print(step, flush=True)
    time.sleep(0.3)
train(WordStore.open(Path(sys.argv[1])), "skipgram", settings, Path(sys.argv[2]), slow)
"""


@pytest.mark.system
@pytest.mark.parametrize("delay", [0.0, 0.35, 1.0])
def test_kill_9_then_resume_gives_the_same_bytes(unbroken, store, settings, tmp_path, delay):
    command = [sys.executable, "-c", CHILD, str(store.folder), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        assert child.wait(timeout=60) == -signal.SIGKILL
    resumed = []
    same(
        train(store, "skipgram", settings, tmp_path, lambda step, _metrics: resumed.append(step)),
        unbroken["skipgram"],
    )
    assert delay == 0.0 or len(resumed) < len(unbroken["skipgram"].history)
