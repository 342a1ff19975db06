"""Vectors in and out: what gensim writes is read, what we write gensim reads, and what is harmed is named."""

import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from firth.errors import DataError, FirthError
from firth.tokens.vocabulary import Vocabulary
from firth.vectors import interchange, text_format
from firth.vectors.interchange import (
    detect,
    import_file,
    read,
    read_binary,
    read_glove,
    read_text,
    write,
    write_binary,
    write_glove,
    write_text,
)
from firth.vectors.vectors import Vectors

WORDS = ("king", "queen", "man", "woman", "apple", "été")
MATRIX = np.array(
    [[1, 1, 0], [1, 0, 0.1], [0.1, 1, 0], [0, 0, 0.1], [0, 0.1, -1], [-0.5, 0.25, 1 / 3]], dtype=np.float32
)


def vocabulary(words=WORDS):
    return Vocabulary(words, np.arange(len(words), 0, -1))


FORMATS = [(write_text, read_text, False), (write_binary, read_binary, True)]
OURS = ("word2vec-text", "word2vec-binary", "glove")


@pytest.mark.parametrize(("write", "read", "binary"), FORMATS)
def test_gensim_loads_ours_and_finds_the_same_neighbours(tmp_path, write, read, binary):
    from gensim.models import KeyedVectors

    vectors = Vectors(vocabulary(), MATRIX)
    write(vectors, tmp_path / "vectors")
    loaded = KeyedVectors.load_word2vec_format(str(tmp_path / "vectors"), binary=binary)
    assert loaded.index_to_key == list(WORDS)
    np.testing.assert_array_equal(loaded.vectors, MATRIX)
    ours, theirs = vectors.most_similar("king", 5), loaded.most_similar("king", topn=5)
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([score for _, score in ours], [score for _, score in theirs], rtol=1e-5)


@pytest.mark.parametrize(("write", "read", "binary"), FORMATS)
def test_we_load_gensims(tmp_path, write, read, binary):
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(3)
    theirs.add_vectors(list(WORDS), MATRIX)
    theirs.save_word2vec_format(str(tmp_path / "vectors"), binary=binary)
    vectors = read(tmp_path / "vectors")
    assert vectors.vocabulary.words == WORDS
    np.testing.assert_allclose(vectors.matrix, MATRIX, rtol=1e-6)


@given(
    arrays(np.float32, (4, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    st.sampled_from(["", ".gz"]),
)
@pytest.mark.parametrize("kind", OURS)
def test_round_trips_are_exact_and_the_format_is_told_from_the_file(tmp_path_factory, kind, matrix, ending):
    path = tmp_path_factory.mktemp("trip") / f"vectors{ending}"
    write(Vectors(vocabulary(WORDS[:4]), matrix), path, kind)
    assert path.read_bytes().startswith(b"\x1f\x8b") == (ending == ".gz")
    assert detect(path) == kind
    again = read(path)
    np.testing.assert_array_equal(again.matrix, matrix)
    assert again.vocabulary.words == WORDS[:4]
    whole = path.read_bytes()
    write(again, path, kind)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("block", [64, 65, 97, 1000])
def test_blocks_may_end_anywhere(tmp_path, monkeypatch, kind, block):
    rng = np.random.default_rng(block)
    matrix = rng.normal(size=(200, 5)).astype(np.float32)
    words = tuple(f"w{'é' * (i % 7)}{i}" for i in range(200))
    path = tmp_path / "vectors.gz"
    write(Vectors(vocabulary(words), matrix), path, kind)
    monkeypatch.setattr(interchange, "BLOCK", block)
    monkeypatch.setattr(text_format, "BLOCK", 2 * block)
    again = read(path)
    assert again.vocabulary.words == words
    np.testing.assert_array_equal(again.matrix, matrix)


def test_gloves_words_with_blanks_are_read(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(
        b"the 0.1 0.2\n. . . 0.3 -0.4\nat name@domain.com 1e-3 +5\n\xc2\x85 1 2\n2000 3 4\n\xc2\xa0x\xc2\xa0 5 6\n"
    )
    vectors = read(path)
    assert vectors.vocabulary.words == ("the", ". . .", "at name@domain.com", "\x85", "2000", "\xa0x\xa0")
    np.testing.assert_allclose(vectors.matrix[1:3], [[0.3, -0.4], [1e-3, 5]], rtol=1e-6)
    import_file(path, tmp_path / "folder")
    assert Vectors.load(tmp_path / "folder").most_similar("at name@domain.com", 9)[-1][0] == ". . ."
    with pytest.raises(DataError, match=r"'\. \. \.' cannot be written"):
        write_glove(vectors, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # gensim's open file
def test_gensim_reads_our_glove(tmp_path):
    from gensim.models import KeyedVectors

    write_glove(Vectors(vocabulary(), MATRIX), tmp_path / "vectors.gz")
    loaded = KeyedVectors.load_word2vec_format(str(tmp_path / "vectors.gz"), binary=False, no_header=True)
    assert loaded.index_to_key == list(WORDS)
    np.testing.assert_array_equal(loaded.vectors, MATRIX)


def test_line_ends_of_other_systems_and_trailing_blanks_are_read(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"2 2\r\nking 1 2 \r\nman 3 4 \r\n\r\n\n")
    assert read(path).matrix.tolist() == [[1, 2], [3, 4]]
    path.write_bytes(b"king 1 2\nman 3 4")
    assert read(path).vocabulary.words == ("king", "man")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: the first line is not"),
        (b"king 1 2\n", "line 1: the first line is not"),
        (b"2 2\nking 1 2\n", "line 3: ends after 1 of 2"),
        (b"2 2\nking 1 2\nman 1\n", "line 3: the vector of 'man' has 1"),
        (b"2 2\nking 1 2\nman 1 x\n", "line 3: the vector of 'man' is not 2 numbers"),
        (b"2 2\nking 1 2\nking 1 3\n", "occurs twice"),
        (b"1 2\nking 1 nan\n", "not finite"),
        (b"1 2\nking 1 2\nman 1 2\n", "goes on"),
        (b"1 2\n\xff 1 2\n", "UTF-8"),
        (b"99999999999 300\nking 1 2\n", "too short"),
        (b"0 3\n", "holds no words"),
        (b"2 0\nking\nman\n", "line 1: the first line is not"),
        (b"2 1\nking 1\n\nman 2\n", "line 3: is blank"),
        (b"2 1\nking 1\n 2\n", "line 3: has no word"),
        (b"2 1\nking 1\n\n", "line 3: ends after 1 of 2"),
        (b"2 2\nking 1 2\nman 1 2 3\n", "line 3: the vector of 'man' has 3 numbers, not 2"),
        (b"2 2\nking 1 2\nman\t1\t2\n", "line 3: the vector of 'man"),
        (b"2 2\nking 1 2\nm\ta 1 2\n", "line 3: the word .* has a tab"),
        (b"3 1\nking 1\nman 1\nking 3\n", "'king' occurs twice, as line 2 and line 4"),
        (b"2 1\nking 1\nman inf\n", "line 3: the vector of 'man' holds values that are not finite"),
    ],
)
def test_harmed_text_is_refused_with_its_line(tmp_path, content, says):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_text(path)
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=says.replace("too short", "has 2 numbers, not 300")):
        import_file(path, tmp_path / "folder", "word2vec-text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["vectors.txt"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: starts like none of the formats"),
        (b"\n\n", "line 1: starts like none"),
        (b"the king\n", "line 1: starts like none"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "line 1: starts like none"),
        (b"\xba\x16\x4f\x2f" + bytes(99), "fastText's program; its vectors are in the file that ends in .vec"),
        (b"the 0.1 0.2\nof 0.3\n", "line 2: the vector of 'of' has 1 numbers, not 2"),
        (b"the 0.1 0.2\nof 0.3 0.4 0.5\n", "line 2: the vector of 'of' has 3 numbers, not 2"),
        (b"the 0.1 0.2\nof 0.3 x\n", "line 2: the vector of 'of' is not 2 numbers"),
        (b"the 0.1 0.2\n\xe9t\xe9 0.3 0.4\n", "line 2: the word is not UTF-8"),
        (b"the 0.1 0.2\nof 1 nan\n", "line 2: the vector of 'of' holds values that are not finite"),
        (b"the 0.1\nof 1\nthe 2\n", "'the' occurs twice, as line 1 and line 3"),
        (b"2 1\nk\xf6nig 1\nman 2\n", "line 2: the word is not UTF-8"),
        (b"2 1\nking x\nman 2\n", "line 2: the vector of 'king' is not 1 numbers"),
    ],
)
def test_harmed_files_of_a_told_format_are_refused(tmp_path, content, says):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(path)


def test_a_line_without_an_end_is_refused_before_memory_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(text_format, "BLOCK", 1000)
    path = tmp_path / "vectors"
    path.write_bytes(b"the 0.1\nof " + b"1" * 5000)
    with pytest.raises(DataError, match="line 2: longer than 1,000 bytes"):
        read_glove(path)


@pytest.mark.parametrize("kind", OURS)
def test_torn_gzip_is_refused(tmp_path, kind):
    path = tmp_path / "vectors.gz"
    write(Vectors(vocabulary(), MATRIX), path, kind)
    whole = path.read_bytes()
    harmed = [whole[:cut] for cut in (3, 15, len(whole) // 2, len(whole) - 1)]
    for content in [*harmed, whole[:20] + bytes([whole[20] ^ 255]) + whole[21:]]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"torn|none of|the first line|UTF-8|not finite|is not|has \d numbers"):
            import_file(path, tmp_path / "folder", kind)
    assert [entry.name for entry in tmp_path.iterdir()] == ["vectors.gz"]


def test_import_replaces_nothing_and_leaves_nothing_half(tmp_path, monkeypatch):
    write_text(Vectors(vocabulary(), MATRIX), tmp_path / "vectors")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine").write_text("kept")
    with pytest.raises(FirthError, match="not empty"):
        import_file(tmp_path / "vectors", folder)
    with pytest.raises(FirthError, match="not empty"):
        import_file(tmp_path / "vectors", folder / "mine")
    (folder / "mine").unlink()

    def interrupted(self, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Vocabulary, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            import_file(tmp_path / "vectors", folder)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "vectors"]
    assert not any(folder.iterdir())
    import_file(tmp_path / "vectors", folder)
    assert Vectors.load(folder).vocabulary.words == WORDS
    with pytest.raises(DataError, match="cannot be read"):
        read(folder)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "absent")


def test_torn_binary_is_refused(tmp_path):
    path = tmp_path / "vectors.bin"
    write_binary(Vectors(vocabulary(), MATRIX), path)
    whole = path.read_bytes()
    for cut in (3, 10, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError):
            read_binary(path)
    path.write_bytes(b"2 1\nking " + b"x" * 4 + b"\nking " + b"x" * 4)
    with pytest.raises(DataError, match="'king' occurs twice, as word 1 and word 2"):
        read_binary(path)
    path.write_bytes(b"1 1\nk\xf6nig " + b"x" * 4)
    with pytest.raises(DataError, match="word 1 is not UTF-8"):
        read_binary(path)
    path.write_bytes(b"1 1\nking " + np.float32(math.nan).tobytes())
    with pytest.raises(DataError, match="word 1: the vector of 'king' holds values that are not finite"):
        read_binary(path)
    path.write_bytes(b"1 9\n" + b"x" * 20_000)
    with pytest.raises(DataError, match="no word where word 1 should be"):
        read_binary(path)
    path.write_bytes(gzip.compress(b"999999999999 9999\nking 1"))
    with pytest.raises(DataError, match="word 1 of 999999999999 is not whole"):
        read_binary(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(DataError, match="goes on"):
        read_binary(path)


def test_a_word_with_a_space_cannot_be_exported(tmp_path):
    vectors = Vectors(vocabulary(("new york", "b")), MATRIX[:2])
    for kind in OURS:
        with pytest.raises(DataError, match="'new york' cannot be written"):
            write(vectors, tmp_path / "vectors", kind)
    assert not any(tmp_path.iterdir())
