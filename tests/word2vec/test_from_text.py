"""Files of text to a folder of vectors: whole or not at all, and on from where it was broken off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from firth.canonical import read_json
from firth.config.text import Words
from firth.config.word2vec import Recipe, Word2Vec
from firth.errors import ConfigError, DataError, FirthError
from firth.vectors.vectors import Vectors
from firth.word2vec import from_text
from firth.word2vec.continuation import OldVectors
from firth.word2vec.from_text import Request, train_from_text
from firth.word2vec.matrix_files import load_matrices

RECIPE = Recipe(learning_rate=0.05, epochs=2)
SETTINGS = Word2Vec(dim=16, block_words=1000, checkpoint_seconds=1e-6, skipgram=RECIPE, cbow=RECIPE)


def write_text(path, sentences=600, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 20, (sentences, 12)) + 20 * rng.integers(0, 2, (sentences, 1))
    path.write_text("".join(" ".join(f"w{word}" for word in row) + "\n" for row in rows.tolist()))
    return path


def request(folder, **changes):
    values = {
        "inputs": (folder / "text.txt",),
        "output": folder / "vectors",
        "model": "skipgram",
        "words": Words(min_count=1),
        "settings": SETTINGS,
    }
    return Request(**{**values, **changes})


@pytest.fixture(autouse=True)
def text(tmp_path):
    return write_text(tmp_path / "text.txt")


@pytest.fixture
def slow(monkeypatch):
    """Checkpoints at each block, whatever the matrices' size."""
    monkeypatch.setattr(from_text, "_paced", lambda settings, _vocabulary: settings)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupt_at(monkeypatch, block, raised):
    """Let the training's `block` be its last: `raised` is called before it."""
    inner, calls = from_text.train, []

    def train(store, model, settings, run_folder, on_metrics, start=None, lightning=True):
        def note(step, metrics):
            calls.append(step)
            if len(calls) == block:
                raised()
            on_metrics(step, metrics)

        return inner(store, model, settings, run_folder, note, start, lightning)

    monkeypatch.setattr(from_text, "train", train)
    return calls


def test_it_writes_what_a_stage_writes_and_says_what_it_did(tmp_path):
    summary = train_from_text(request(tmp_path, heldout_share=0.1))
    assert sorted(files(tmp_path / "vectors")) == [
        "history.json", "training.json", "vectors.safetensors", "vocabulary.tsv",
    ]  # fmt: skip
    assert not request(tmp_path).unfinished.exists()
    found = Vectors.load(tmp_path / "vectors")
    assert {word in {f"w{i}" for i in range(20)} for word, _ in found.most_similar("w3", 5)} == {True}
    assert (len(summary.vocabulary), summary.dim, summary.epochs) == (40, 16, 2)
    assert summary.trained_words == 2 * summary.words
    assert summary.words_per_second > 0
    assert set(summary.metrics) == {"train/loss", "heldout/loss"}
    record = read_json(tmp_path / "vectors/training.json")
    assert record["words"] == summary.words
    assert str(tmp_path) not in (tmp_path / "vectors/training.json").read_text()


def test_one_thread_gives_the_same_bytes_again(tmp_path):
    for name in ("first", "second"):
        train_from_text(request(tmp_path, output=tmp_path / name))
    assert files(tmp_path / "first") == files(tmp_path / "second")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_request_goes_on_to_the_same_bytes(tmp_path, monkeypatch, number, capfd):
    train_from_text(request(tmp_path, output=tmp_path / "whole"))
    mine = request(tmp_path)
    interrupt_at(monkeypatch, 4, lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        train_from_text(mine)
    saved = sorted(path.name for path in (mine.unfinished / "run/checkpoints").iterdir())
    assert saved[-1] == "step-000000000004"  # a slow machine has saved by the clock before
    assert not mine.output.exists()
    assert "the same command goes on from there" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    summary = train_from_text(mine)
    assert "goes on from its checkpoint" in capfd.readouterr().err
    assert 0 < summary.trained_words < 2 * summary.words
    assert files(mine.output) == files(tmp_path / "whole")


def test_ctrl_c_outside_of_the_loop_ends_it_as_ever(tmp_path, monkeypatch):
    def before_the_loop(*_arguments, **_options):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(from_text, "train", before_the_loop)
    with pytest.raises(KeyboardInterrupt):
        train_from_text(request(tmp_path))


def test_broken_off_while_the_text_is_read_it_reads_it_again(tmp_path, monkeypatch):
    mine = request(tmp_path)
    with monkeypatch.context() as patch:

        def torn(_paths, _settings, folder, **_options):
            folder.mkdir()
            (folder / "train.i32").write_bytes(b"half")
            raise KeyboardInterrupt

        patch.setattr(from_text, "build_store_from_files", torn)
        with pytest.raises(KeyboardInterrupt):
            train_from_text(mine)
    train_from_text(mine)
    assert len(Vectors.load(mine.output).vocabulary) == 40


def unfinished(folder, monkeypatch, slow=None):
    mine = request(folder)
    with monkeypatch.context() as patch:

        def stop():
            raise KeyboardInterrupt

        interrupt_at(patch, 3, stop)
        with pytest.raises(KeyboardInterrupt):
            train_from_text(mine)
    return mine


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": SETTINGS.model_copy(update={"dim": 8})}, r"differs in word2vec.dim \(16 there, 8 now\)"),
        ({"words": Words(min_count=2)}, r"words.min_count \(1 there, 2 now\)"),
        ({"model": "cbow"}, r"model \(skipgram there, cbow now\)"),
    ],
)
def test_another_requests_unfinished_training_is_refused_and_kept(tmp_path, monkeypatch, slow, changes, said):
    mine = unfinished(tmp_path, monkeypatch)
    with pytest.raises(FirthError, match=said):
        train_from_text(request(tmp_path, **changes))
    assert any((mine.unfinished / "run/checkpoints").iterdir())
    train_from_text(mine)


def test_text_that_has_changed_since_is_noticed(tmp_path, monkeypatch, slow):
    mine = unfinished(tmp_path, monkeypatch)
    write_text(tmp_path / "text.txt", 700)
    with pytest.raises(FirthError, match=r"input \(the files or their times\)"):
        train_from_text(mine)


def test_checkpoints_of_large_matrices_are_far_apart():
    settings = Word2Vec(dim=300)
    assert from_text._paced(settings, 1000).checkpoint_seconds == 20.0
    assert from_text._paced(settings, 1_000_000).checkpoint_seconds == pytest.approx(240.0)


def test_matrices_that_no_memory_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 100, "SC_PHYS_PAGES": 51}[name])
    with pytest.raises(ConfigError, match=r"dim = 16: the matrices of 40 words take .* smaller words\.max_vocabulary"):
        train_from_text(request(tmp_path))
    assert not request(tmp_path).unfinished.exists()


@pytest.mark.parametrize("written", ["w1\nw2\n" * 50, "w1 w2 w3\n" * 50])
def test_vectors_that_have_learnt_nothing_are_an_error(tmp_path, written):
    (tmp_path / "text.txt").write_text(written)
    settings = SETTINGS.model_copy(update={"sample": 1e-12})
    with pytest.raises(DataError, match="nothing was learnt"):
        train_from_text(request(tmp_path, settings=settings))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.txt"]


def test_what_is_in_the_way_is_refused_and_stays(tmp_path):
    (tmp_path / "vectors").mkdir()
    train_from_text(request(tmp_path))  # an empty folder is none
    with pytest.raises(FirthError, match="already there"):
        train_from_text(request(tmp_path))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FirthError, match="already there"):
        train_from_text(request(tmp_path, output=tmp_path / "file"))
    (tmp_path / "other.unfinished").mkdir()
    (tmp_path / "other.unfinished" / "thesis.tex").write_text("mine")
    with pytest.raises(FirthError, match="not an unfinished training"):
        train_from_text(request(tmp_path, output=tmp_path / "other"))
    assert (tmp_path / "other.unfinished" / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("written", "words", "said"),
    [
        ("", Words(), "no words"),
        ("... ---\n\n", Words(), "no words"),
        ("one two three\n", Words(min_count=5), r"lower words\.min_count"),
        ("one one one one one one\n", Words(), "2 or more|one word"),
    ],
)
def test_text_that_nothing_can_be_learnt_from_is_one_error_and_leaves_nothing(tmp_path, written, words, said):
    (tmp_path / "text.txt").write_text(written)
    mine = request(tmp_path, words=words)
    with pytest.raises(DataError, match=said):
        train_from_text(mine)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.txt"]


def test_inputs_that_are_no_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.txt: no such file"):
        train_from_text(request(tmp_path, inputs=(tmp_path / "text.txt", tmp_path / "nowhere.txt")))
    with pytest.raises(DataError, match="a folder"):
        train_from_text(request(tmp_path, inputs=(tmp_path,)))
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(DataError, match="not a regular file"):
        train_from_text(request(tmp_path, inputs=(tmp_path / "pipe.txt",)))
    (tmp_path / "latin.txt").write_bytes(b"na\xefve\n")
    with pytest.raises(DataError, match=r"latin\.txt"):
        train_from_text(request(tmp_path, inputs=(tmp_path / "latin.txt",)))
    assert not request(tmp_path).unfinished.exists()


@pytest.mark.slow
def test_a_sentence_of_ten_million_words_is_a_long_text(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(50)])
    (tmp_path / "text.txt").write_text(" ".join(words[rng.integers(0, 50, 10_000_000)]))
    settings = Word2Vec(dim=16, skipgram=Recipe(learning_rate=0.025, epochs=1))
    summary = train_from_text(request(tmp_path, settings=settings))
    assert summary.words == 10_000_000
    assert np.isfinite(load_matrices(tmp_path / "vectors")["input"]).all()


def test_it_goes_on_from_older_vectors(tmp_path, capfd):
    train_from_text(request(tmp_path, output=tmp_path / "old"))
    (tmp_path / "more.txt").write_text("w1 w2 fresh w3\n" * 200)
    old = OldVectors.load(tmp_path / "old")
    summary = train_from_text(request(tmp_path, inputs=(tmp_path / "more.txt",), init=old))
    assert len(summary.vocabulary) == 41
    assert "3 words go on from their vectors, 1 are new, 37 are not in this text" in capfd.readouterr().err
    before, after = (Vectors.load(tmp_path / name) for name in ("old", "vectors"))
    np.testing.assert_array_equal(before["w30"], after["w30"])
    assert (before["w1"] != after["w1"]).any()
    assert len(read_json(tmp_path / "vectors/training.json")["init"]) == 64
    with pytest.raises(ConfigError, match="have 16 dimensions"):
        wide = SETTINGS.model_copy(update={"dim": 32})
        train_from_text(request(tmp_path, settings=wide, init=old, output=tmp_path / "wide"))


CHILD = """
import sys, time
from pathlib import Path
from firth.config.text import Words
from firth.config.word2vec import Recipe, Word2Vec
from firth.word2vec import from_text
inner = from_text.train
def slow(store, model, settings, run_folder, on_metrics, start=None, lightning=True):
    def note(step, metrics):
        print(step, flush=True)
        time.sleep(0.2)
        on_metrics(step, metrics)
    return inner(store, model, settings, run_folder, note, start, lightning)
from_text.train = slow
from_text._paced = lambda settings, _vocabulary: settings
recipe = Recipe(learning_rate=0.05, epochs=2)
settings = Word2Vec(dim=16, block_words=1000, checkpoint_seconds=1e-6, skipgram=recipe, cbow=recipe)
folder = Path(sys.argv[1])
from_text.train_from_text(from_text.Request(
    (folder / "text.txt",), folder / "vectors", "skipgram", Words(min_count=1), settings))
"""


@pytest.mark.system
def test_killed_twice_it_ends_with_the_same_bytes(tmp_path):
    train_from_text(request(tmp_path, output=tmp_path / "whole"))
    for delay in (0.1, 0.7):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            child.kill()
    summary = train_from_text(request(tmp_path))
    assert summary.trained_words < 2 * summary.words
    assert files(tmp_path / "vectors") == files(tmp_path / "whole")
    assert not Path(f"{tmp_path / 'vectors'}.unfinished").exists()
