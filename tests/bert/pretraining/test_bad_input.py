"""What cannot be trained on, or not like this: one clear error each."""

import json

import numpy as np
import pytest
from fable_training import unwatched
from fables import fable_store, fables, small_training, tokenizer
from typer.testing import CliRunner

from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.train import pretrain
from firth.canonical import file_sha256
from firth.cli import app
from firth.config.bert import Optimizer, Tokenize
from firth.config.load import preset_text, with_overrides
from firth.errors import ConfigError, DataError, FirthError, IntegrityError
from firth.training.checkpoint import Checkpoints
from firth.wordpiece.store import TokenStore, build_store


def store_of(folder, train, heldout=()):
    build_store(train, list(heldout), tokenizer(), Tokenize(shuffle=False), folder)
    return TokenStore.open(folder)


def test_one_document_of_one_sentence(tmp_path):
    store = store_of(tmp_path / "s", [[fables()[0][0]]])
    with pytest.raises(DataError, match=r"one document only; add documents, or set bert\.next_sentence to false"):
        pretrain(store, small_training(steps=5), tmp_path / "r", unwatched)
    trained = pretrain(store, small_training(steps=5, next_sentence=False), tmp_path / "r", unwatched)
    assert trained.steps == 5


def test_documents_of_one_sentence_each_are_all_followed_by_another(tmp_path):
    sentences = [[sentence] for fable in fables() for sentence in fable]
    store = store_of(tmp_path / "s", sentences[:30], sentences[30:])
    trained = pretrain(store, small_training(steps=6), tmp_path / "r", unwatched)
    assert trained.history[-1]["heldout"]["nsp_majority"] == 1.0


def test_a_length_beyond_the_position_table():
    with pytest.raises(ConfigError, match=r"length \(1024\) must not exceed positions \(512\)"):
        with_overrides(preset_text("base"), ["bert.length=1024"])
    second = ["bert.second_phase.share=0.1", "bert.second_phase.length=1024"]
    with pytest.raises(ConfigError, match=r"second_phase\.length \(1024\) must not exceed positions \(512\)"):
        with_overrides(preset_text("base"), second)


def test_a_length_beyond_the_position_table_by_the_command(tmp_path):
    fable_store(tmp_path / "s")
    arguments = ["--tokens", tmp_path / "s", "--to", tmp_path / "m", "--size", "tiny", "--set", "bert.length=513"]
    done = CliRunner().invoke(app, ["pretrain", *map(str, arguments)])
    assert isinstance(done.exception, ConfigError)
    assert "length (513) must not exceed positions (" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_learning_rate_that_diverges(tmp_path, clip):
    optimizer = Optimizer(learning_rate=1.0, warmup_steps=0, clip=clip)
    with pytest.raises(
        FirthError,
        match=r"loss is \d+\.\d nats.*blind guesses 5\.\d, after step .*lower bert\.optimizer\.learning_rate \(1\.0\)",
    ):
        pretrain(fable_store(tmp_path / "s"), small_training(optimizer=optimizer), tmp_path / "r", unwatched)


@pytest.mark.parametrize("every", [1e-6, 1e6])
def test_a_learning_rate_that_overflows(tmp_path, every):
    """A rate that no setting may be, so that the second step's loss is not a number: what it learnt from is named."""
    optimizer = Optimizer(warmup_steps=0, clip=0.0).model_copy(update={"learning_rate": 1e30})
    settings = small_training(optimizer=optimizer, checkpoint_seconds=every)
    store = fable_store(tmp_path / "s")
    with pytest.raises(
        FirthError,
        match=r"the loss is nan at step 2 \(instances 8 of epoch 0 up to, but without, 16 of .*\), in micro batch 1"
        r"; lower bert\.optimizer\.learning_rate \(1e\+30\) .*the last checkpoint is kept",
    ):
        pretrain(store, settings, tmp_path / "r", unwatched)
    kept = Checkpoints(tmp_path / "r" / "checkpoints", Identity.of(store, settings)).latest()
    if every > 1:
        assert kept is None  # none was due
    else:
        assert kept.step == 1
        assert all(np.isfinite(array).all() for array in kept.arrays.values())


def test_one_flipped_bit_anywhere_in_a_store_is_found_and_its_file_named(tmp_path):
    folder = fable_store(tmp_path).folder
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert len(names) == 11
    for name in sorted(set(names) - {"manifest.json"}):
        whole = (folder / name).read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            harm(folder / name, lambda data, place=place: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(IntegrityError, match=f"{name}: .*altered"):
                TokenStore.open(folder)
        (folder / name).write_bytes(whole)
    TokenStore.open(folder)


def test_no_store_and_an_empty_one(tmp_path):
    def pretraining(tokens):
        done = CliRunner().invoke(app, ["pretrain", "--tokens", str(tokens), "--to", str(tmp_path / "m")])
        assert isinstance(done.exception, FirthError)
        assert not (tmp_path / "m").exists()
        return str(done.exception)

    (tmp_path / "empty").mkdir()
    assert "manifest.json: no such file" in pretraining(tmp_path / "empty")
    with pytest.raises(DataError, match="no text"):
        store_of(tmp_path / "none", [], fables())
    # Put together by hand: all of the text is held out.
    fable_store(tmp_path / "s")
    manifest = json.loads((tmp_path / "s" / "manifest.json").read_text())
    manifest["splits"]["train"] = {"documents": 0, "sentences": 0, "tokens": 0, "unknown_share": 0.0, "shards": []}
    (tmp_path / "s" / "manifest.json").write_text(json.dumps(manifest))
    assert "training side of the token store is empty" in pretraining(tmp_path / "s")


def harm(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("train/shard-00000.ids", lambda data: bytes([data[0] ^ 1]) + data[1:], "altered"),
        ("train/shard-00000.ids", lambda _: b"", "torn"),
        ("tokenizer/vocab.txt", lambda data: data.replace(b"fox", b"box"), "altered"),
        ("manifest.json", lambda _: b"", "not valid JSON"),
    ],
)
def test_a_damaged_store_is_named_by_the_command(tmp_path, name, change, said):
    fable_store(tmp_path / "s")
    harm(tmp_path / "s" / name, change)
    done = CliRunner().invoke(app, ["pretrain", "--tokens", str(tmp_path / "s"), "--to", str(tmp_path / "m")])
    assert isinstance(done.exception, IntegrityError)
    assert name in str(done.exception)
    assert said in str(done.exception)
    assert not (tmp_path / "m").exists()


def test_ids_of_another_vocabulary(tmp_path):
    """A store that was put together by hand: its manifest fits its files, its ids do not fit its vocabulary."""
    store = fable_store(tmp_path / "s")
    other = tokenizer(most=20)
    other.save(tmp_path / "s" / "tokenizer")
    manifest = json.loads((store.folder / "manifest.json").read_text())
    manifest["tokenizer"] = {"sha256": other.sha256, "pieces": len(other)}
    for name, entry in manifest["files"].items():
        path = store.folder / name
        entry.update(bytes=path.stat().st_size, sha256=file_sha256(path))
    (store.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match=f"ids that its vocabulary of {len(other)} pieces does not have"):
        pretrain(TokenStore.open(tmp_path / "s"), small_training(), tmp_path / "r", unwatched)
