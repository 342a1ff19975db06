"""The stage as DVC runs it: a corpus and a tokenizer into a token store."""

import shutil

import pytest
from damage import tear
from prepared_corpus import write_corpus

from firth.config.load import preset_text
from firth.errors import ConfigError, DataError, IntegrityError
from firth.stages.tokenize import main
from firth.wordpiece.library import Names
from firth.wordpiece.store import TokenStore
from firth.wordpiece.tokenizer import Tokenizer

PIECES = (*Names(), "the", "sea", "man", ".")


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_corpus(tmp_path, [["The sea.", "The man."], ["Sea man, sea."]], [["The boat."]])
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    Tokenizer(PIECES).save(tmp_path / "data/tokenizer")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_a_store_that_stands_alone(project, capsys):
    main([])
    shutil.rmtree(project / "data/tokenizer")
    store = TokenStore.open(project / "data/tokens/pieces")
    assert (store.train.documents, store.train.sentences, store.train.tokens) == (2, 3, 11)
    assert store.heldout.shards[0].ids.tolist() == [5, 1, 8]
    assert store.tokenizer.vocabulary == PIECES
    out = capsys.readouterr().out
    assert "tokenize train: 11 tokens in 3 sentences of 2 documents" in out
    assert "tokenize heldout: 3 tokens in 1 sentences of 1 documents, 33.333% of the tokens unknown" in out


def test_the_same_input_gives_the_same_bytes(project):
    main([])
    first = TokenStore.open(project / "data/tokens/pieces").digest
    main([])
    assert TokenStore.open(project / "data/tokens/pieces").digest == first
    assert [path.name for path in (project / "data/tokens").iterdir()] == ["pieces"]


def test_earlier_output_stays_where_a_run_fails(project):
    main([])
    first = TokenStore.open(project / "data/tokens/pieces").digest
    shard = next((project / "data/corpus/heldout").iterdir())
    tear(shard)
    with pytest.raises(IntegrityError, match=shard.name):
        main([])
    assert TokenStore.open(project / "data/tokens/pieces").digest == first
    assert [path.name for path in (project / "data/tokens").iterdir()] == ["pieces"]


def test_missing_inputs_are_named(project):
    shutil.rmtree(project / "data/tokenizer")
    with pytest.raises(DataError, match="tokenizer: no such folder"):
        main([])
    Tokenizer(PIECES).save(project / "data/tokenizer")
    (project / "data/corpus/manifest.json").write_text('{"shards": []}')
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        main([])


def test_it_takes_no_arguments(project):
    with pytest.raises(ConfigError, match="no arguments"):
        main(["bert"])
