"""What cannot be trained on, or not like this: one clear error each."""

import pytest
from fable_training import unwatched
from fables import fable_store, fables, small_training, tokenizer
from typer.testing import CliRunner

from firth.bert.train import pretrain
from firth.cli import app
from firth.config.bert import Optimizer, Tokenize
from firth.config.load import preset_text, with_overrides
from firth.errors import ConfigError, DataError, FirthError, IntegrityError
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


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_learning_rate_that_diverges(tmp_path, clip):
    optimizer = Optimizer(learning_rate=1.0, warmup_steps=0, clip=clip)
    with pytest.raises(
        FirthError,
        match=r"loss is \d+\.\d nats.*blind guesses 5\.\d, after step .*lower bert\.optimizer\.learning_rate \(1\.0\)",
    ):
        pretrain(fable_store(tmp_path / "s"), small_training(optimizer=optimizer), tmp_path / "r", unwatched)


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
    import json

    from firth.canonical import file_sha256

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
