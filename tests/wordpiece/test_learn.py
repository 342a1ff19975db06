"""From documents to a tokenizer: a new vocabulary, a pinned one, and that with further pieces."""

import hashlib

import pytest

from firth.config.bert import WordPiece
from firth.errors import DataError, IntegrityError
from firth.wordpiece.learn import make_tokenizer, summary
from firth.wordpiece.tokenizer import Tokenizer

MEDICAL = [["Cardiomyopathy is a myopathy.", "The cardiomyopathy, a Myopathy."]] * 20


@pytest.fixture(scope="module")
def base(tmp_path_factory, paragraphs):
    folder = tmp_path_factory.mktemp("base")
    made = make_tokenizer([paragraphs], WordPiece(vocabulary=1000, alphabet=100, lowercase=True, strip_accents=False))
    made.tokenizer.save(folder)
    return folder


def pin(folder):
    return hashlib.sha256((folder / "vocab.txt").read_bytes()).hexdigest()


def test_the_manifest_says_how_the_tokenizer_fits(paragraphs):
    made = make_tokenizer([paragraphs], WordPiece(vocabulary=1000, alphabet=60))
    tokenizer, manifest = made
    ids = tokenizer.ids(paragraphs)
    assert manifest["tokenizer"] == {"sha256": tokenizer.sha256, "pieces": 1000, "missing": 0}
    total = manifest["words"]["total"]
    assert manifest["tokens_per_word"] == pytest.approx(sum(map(len, ids)) / total, abs=1e-6)
    assert manifest["unknown_share"] == pytest.approx(sum(i.count(tokenizer.unk) for i in ids) / total, abs=1e-6)
    assert manifest["words"]["left_out"] == sum(i.count(tokenizer.unk) for i in ids)
    assert manifest["settings"]["alphabet"] == 60
    assert f"1000 pieces, {manifest['tokens_per_word']:.3f} tokens per word" in summary(manifest)[0]


def test_settings_reach_the_tokenizer():
    made = make_tokenizer(
        [["Élan ÉLAN"] * 3], WordPiece(vocabulary=64, alphabet=16, lowercase=False, strip_accents=False)
    )
    assert "Élan" in made.tokenizer.vocabulary
    assert (made.tokenizer.lowercase, made.tokenizer.strip_accents) == (False, False)


def test_too_few_pieces_are_said():
    manifest = make_tokenizer(MEDICAL, WordPiece(vocabulary=5000, alphabet=100)).manifest
    missing = 5000 - manifest["tokenizer"]["pieces"]
    assert manifest["tokenizer"]["missing"] == missing > 4900
    assert f"{missing} pieces fewer than asked for" in summary(manifest)[-1]


def test_a_base_is_taken_with_its_own_normalisation(base):
    settings = WordPiece(lowercase=False, chinese_characters=False, base="models/x", base_sha256=pin(base))
    made = make_tokenizer(MEDICAL, settings, base)
    assert made.tokenizer.sha256 == Tokenizer.load(base).sha256
    assert (made.tokenizer.lowercase, made.tokenizer.strip_accents, made.tokenizer.chinese_characters) == (
        True,
        False,
        True,
    )
    assert made.manifest["tokenizer"]["missing"] == 0
    assert "models/x as they are" in summary(made.manifest)[1]


def test_a_base_is_extended(base):
    plain = make_tokenizer(MEDICAL, WordPiece(base="x", base_sha256=pin(base)), base)
    made = make_tokenizer(MEDICAL, WordPiece(base="x", base_sha256=pin(base), extend=30), base)
    vocabulary = made.tokenizer.vocabulary
    assert vocabulary[:1000] == Tokenizer.load(base).vocabulary
    assert {"cardiomyopathy", "myopathy"} <= set(vocabulary[1000:])
    assert made.manifest["tokens_per_word"] < plain.manifest["tokens_per_word"]
    assert made.manifest["tokenizer"]["missing"] == 1030 - len(vocabulary) > 0
    assert f"{len(vocabulary) - 1000} learned pieces" in summary(made.manifest)[1]


@pytest.mark.parametrize("with_list", [True, False])
def test_another_vocabulary_than_the_pinned_one_is_refused(base, tmp_path, with_list):
    settings = WordPiece(base="x", base_sha256="0" * 64)
    Tokenizer.load(base).save(tmp_path)
    if not with_list:
        (tmp_path / "vocab.txt").unlink()
    with pytest.raises(IntegrityError, match=f"sha256 is {pin(base)}, the parameters pin 0000"):
        make_tokenizer(MEDICAL, settings, tmp_path)
    assert make_tokenizer(MEDICAL, WordPiece(base="x", base_sha256=pin(base)), tmp_path).tokenizer.sha256


def test_without_words_there_is_nothing_to_learn(base):
    for settings, folder in ((WordPiece(), None), (WordPiece(base="x", base_sha256=pin(base), extend=3), base)):
        with pytest.raises(DataError, match="no words"):
            make_tokenizer([["", "\x00"]], settings, folder)
