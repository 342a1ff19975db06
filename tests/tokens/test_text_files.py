"""Plain text files as the source of a store."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from firth.config.text import Words
from firth.errors import DataError
from firth.tokens import text_files
from firth.tokens.encode import build_store, build_store_from_files
from firth.tokens.store import WordStore

LINES = [f"Sentence {n} of the text’s {n % 7} parts, naïve Σ {n % 3}." for n in range(3000)]
PLAIN = Words(min_count=2, shuffle=False)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_lines_are_sentences_as_in_a_corpus(tmp_path, text):
    from_files = build_store_from_files([text], PLAIN, tmp_path / "files")
    from_documents = build_store([LINES], [], PLAIN, tmp_path / "documents")
    assert from_files == from_documents
    WordStore.open(tmp_path / "files")


def test_compressed_files_several_files_threads_and_cuts_do_not_show(tmp_path, text, monkeypatch):
    whole = build_store_from_files([text], PLAIN, tmp_path / "whole", heldout_share=0.1)
    assert 200 < whole["splits"]["heldout"]["sentences"] < 400
    third = len(LINES) // 3
    parts = ["\n".join(LINES[:third]), "\n".join(LINES[third : 2 * third]) + "\n", "\r\n".join(LINES[2 * third :])]
    paths = [tmp_path / name for name in ("a.txt.gz", "b.bz2", "c.xz")]
    for path, part, compress in zip(paths, parts, (gzip.compress, bz2.compress, lzma.compress), strict=True):
        path.write_bytes(compress(part.encode()))
    monkeypatch.setattr(text_files, "PIECE_BYTES", 100)
    assert build_store_from_files(paths, PLAIN, tmp_path / "parts", threads=3, heldout_share=0.1) == whole


def test_passages_are_shuffled_whole(tmp_path, text):
    plain = WordStore.open(build(tmp_path / "plain", text))
    mixed = WordStore.open(build(tmp_path / "mixed", text, shuffle=True))
    assert np.array_equal(np.sort(plain.train), np.sort(mixed.train))
    assert not np.array_equal(plain.train, mixed.train)
    ends = {tuple(s) for s in np.split(plain.train, np.flatnonzero(plain.train < 0) + 1)}
    assert ends == {tuple(s) for s in np.split(mixed.train, np.flatnonzero(mixed.train < 0) + 1)}


def build(folder, path, **settings):
    build_store_from_files([path], Words(**{"min_count": 1, "shuffle": False, **settings}), folder)
    return folder


@pytest.mark.parametrize("tail", ["", " ", "\n", " \n\n"])
def test_one_very_long_line(tmp_path, monkeypatch, tail):
    monkeypatch.setattr(text_files, "PIECE_BYTES", 1000)
    path = tmp_path / "line.txt"
    path.write_text("to be or not to be " * 5000 + "end" + tail)
    store = WordStore.open(build(tmp_path / "words", path))
    assert len(store.train) == 6 * 5000 + 2
    assert store.train[-1] == -1
    assert np.count_nonzero(store.train < 0) == 1


def test_a_word_longer_than_a_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE_BYTES", 10)
    path = tmp_path / "line.txt"
    path.write_text("short " + "a" * 5000 + " short")
    store = WordStore.open(build(tmp_path / "words", path))
    assert [len(word) for word in store.vocabulary.words] == [5, 5000]


def test_bytes_that_are_not_utf8_are_named_by_line_and_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE_BYTES", 7)
    path = tmp_path / "bad.txt"
    path.write_bytes(b"good line\nanother\nbad \xff here\n")
    with pytest.raises(DataError, match=r"bad\.txt, line 3: not valid UTF-8 \(invalid start byte at byte 22\)"):
        build_store_from_files([path], PLAIN, tmp_path / "words")
    assert not list((tmp_path / "words").iterdir())


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.txt", None, "No such file"),
        ("torn.gz", gzip.compress(b"one two three\n" * 100, mtime=0)[:-20], "cannot be read"),
        ("torn.xz", lzma.compress(b"one two three\n" * 100)[:-20], "cannot be read"),
        ("torn.bz2", bz2.compress(b"one two three\n" * 100)[:-20], "cannot be read"),
        ("not.gz", b"plain text\n", "cannot be read: Not a gzipped file"),
        ("not.xz", b"plain text\n", "cannot be read"),
        ("empty.txt", b"", "holds no words"),
        ("points.txt", b"... !!!\n---\n", "holds no words"),
        ("rare.txt", b"one two three\n", "no word occurs 2 times"),
        ("single.txt", b"one one one\n", "only one word, 'one'"),
    ],
)
def test_unusable_files_are_refused(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=says) as refused:
        build_store_from_files([path], PLAIN, tmp_path / "words")
    if "read" in says or "No such" in says:
        assert str(path) in str(refused.value)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match="Is a directory"):
        build_store_from_files([tmp_path], PLAIN, tmp_path / "words")
