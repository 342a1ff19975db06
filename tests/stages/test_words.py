"""The stage as DVC runs it, on a corpus as `prepare` writes it."""

import pytest
from damage import tear
from prepared_corpus import write_corpus

from firth.errors import ConfigError, DataError, IntegrityError
from firth.stages.words import main
from firth.tokens.store import WordStore

SENTENCES = [
    "The old man and the sea, by Hemingway.",
    "The sea was calm; the man's boat was old.",
    "Old boats don't sail the sea.",
]


def write_params(root, **words):
    from firth.config.load import preset_text, with_overrides

    text, _ = with_overrides(preset_text("demo"), [f"words.{key}={value}" for key, value in words.items()])
    (root / "params.yaml").write_text(text)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path, [SENTENCES, SENTENCES[:1]], [["The sea!"]])
    write_params(tmp_path, min_count=2)
    return tmp_path


def test_it_writes_the_store_of_the_training_side(project, capsys):
    main([])
    store = WordStore.open(project / "data/tokens/words")
    assert store.vocabulary.words[:3] == ("the", "old", "sea")
    assert store.vocabulary.counts.tolist()[:3] == [7, 4, 4]
    assert [store.vocabulary.words[i] for i in store.heldout if i >= 0] == ["the", "sea"]
    out = capsys.readouterr().out
    assert "words train: " in out
    assert "outside the vocabulary" in out
    assert [path.name for path in (project / "data/tokens").iterdir()] == ["words"]


def test_an_altered_shard_is_refused_and_nothing_is_left(project):
    shard = next((project / "data/corpus/train").iterdir())
    tear(shard)
    with pytest.raises(IntegrityError, match=shard.name):
        main([])
    assert not list((project / "data/tokens").iterdir())


def test_earlier_output_stays_when_no_word_is_frequent_enough(project):
    main([])
    before = WordStore.open(project / "data/tokens/words").digest
    write_params(project, min_count=1000)
    with pytest.raises(DataError, match=r"words\.min_count"):
        main([])
    assert WordStore.open(project / "data/tokens/words").digest == before


def test_a_missing_or_foreign_manifest_is_named(project):
    path = project / "data/corpus/manifest.json"
    path.write_text('{"shards": []}')
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        main([])
    path.unlink()
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        main([])


def test_it_takes_no_arguments(project):
    with pytest.raises(ConfigError, match="no arguments"):
        main(["wikipedia"])
