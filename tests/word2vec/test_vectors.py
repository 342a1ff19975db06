import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from firth.errors import DataError, FirthError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.interchange import read_binary, read_text, write_binary, write_text
from firth.word2vec.vectors import FILE, UnknownWordError, Vectors, save_matrices

WORDS = ("king", "queen", "man", "woman", "apple", "été")
MATRIX = np.array(
    [[1, 1, 0], [1, 0, 0.1], [0.1, 1, 0], [0, 0, 0.1], [0, 0.1, -1], [-0.5, 0.25, 1 / 3]], dtype=np.float32
)


def vocabulary(words=WORDS):
    return Vocabulary(words, np.arange(len(words), 0, -1))


@pytest.fixture
def folder(tmp_path):
    save_matrices(tmp_path, vocabulary(), {"input": MATRIX, "output": 2 * MATRIX[::-1]})
    return tmp_path


def test_saved_matrices_come_back_as_asked(folder):
    for which, expected in {
        "input": MATRIX,
        "output": 2 * MATRIX[::-1],
        "sum": MATRIX + 2 * MATRIX[::-1],
        "concat": np.hstack([MATRIX, 2 * MATRIX[::-1]]),
    }.items():
        vectors = Vectors.load(folder, which)
        np.testing.assert_array_equal(vectors.matrix, expected)
        assert vectors.vocabulary.words == WORDS
    with pytest.raises(ValueError, match="one of input"):
        Vectors.load(folder, "both")


def test_same_values_are_the_same_bytes(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    save_matrices(other, vocabulary(), {"input": MATRIX.copy(order="F"), "output": 2 * MATRIX[::-1]})
    assert (other / FILE).read_bytes() == (folder / FILE).read_bytes()


def test_neighbours_are_by_cosine(folder):
    vectors = Vectors.load(folder)
    cosines = {
        word: MATRIX[i] @ MATRIX[0] / np.linalg.norm(MATRIX[i]) / np.linalg.norm(MATRIX[0])
        for i, word in enumerate(WORDS)
        if word != "king"
    }
    expected = sorted(cosines, key=lambda word: -cosines[word])
    found = vectors.most_similar("king", 99)
    assert [word for word, _ in found] == expected
    assert found[0][1] == pytest.approx(cosines[expected[0]], rel=1e-5)
    assert vectors.most_similar("king", 2) == found[:2]
    assert vectors.similarity("king", "man") == pytest.approx(cosines["man"], rel=1e-5)
    with pytest.raises(ValueError, match="at least 1"):
        vectors.most_similar("king", 0)


def test_analogy_is_king_minus_man_plus_woman():
    vectors = Vectors(vocabulary(), MATRIX)
    assert vectors.analogy("man", "king", "woman")[0][0] == "queen"
    assert not {"man", "king", "woman"} & {word for word, _ in vectors.analogy("man", "king", "woman", 99)}


def test_an_unknown_word_names_its_likeliest_spellings():
    vectors = Vectors(vocabulary(), MATRIX)
    with pytest.raises(UnknownWordError, match="'kings' is not in the vocabulary of 6 words; near spellings: king"):
        vectors.most_similar("kings")
    with pytest.raises(UnknownWordError, match=r"of 6 words$"):
        vectors["xyzzy"]
    assert "king" in vectors
    assert "kings" not in vectors


def test_a_vocabulary_of_another_training_is_refused(folder):
    vocabulary(WORDS[:3]).save(folder / "vocabulary.tsv")
    with pytest.raises(IntegrityError, match="a vocabulary of 3 words"):
        Vectors.load(folder)
    with pytest.raises(IntegrityError, match="not of the same training"):
        save_matrices(folder, vocabulary(WORDS[:3]), {"input": MATRIX, "output": MATRIX})


@pytest.mark.parametrize("harm", ["torn", "gone", "nan", "half"])
def test_harmed_vectors_are_refused_by_name(folder, harm):
    path = folder / FILE
    if harm == "torn":
        path.write_bytes(path.read_bytes()[:-1])
    elif harm == "gone":
        path.unlink()
    elif harm == "nan":
        save_matrices(folder, vocabulary(), {"input": MATRIX * np.float32(np.nan), "output": MATRIX})
    else:
        from safetensors.numpy import save_file

        save_file({"output": MATRIX}, path)
    with pytest.raises(FirthError, match=FILE):
        Vectors.load(folder)


FORMATS = [(write_text, read_text, False), (write_binary, read_binary, True)]


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


@given(arrays(np.float32, (4, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
@pytest.mark.parametrize(("write", "read", "binary"), FORMATS)
def test_round_trips_are_exact(tmp_path_factory, write, read, binary, matrix):
    path = tmp_path_factory.mktemp("trip") / "vectors"
    write(Vectors(vocabulary(WORDS[:4]), matrix), path)
    again = read(path)
    np.testing.assert_array_equal(again.matrix, matrix)
    assert again.vocabulary.words == WORDS[:4]


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
    ],
)
def test_harmed_text_is_refused_with_its_line(tmp_path, content, says):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_text(path)


def test_torn_binary_is_refused(tmp_path):
    path = tmp_path / "vectors.bin"
    write_binary(Vectors(vocabulary(), MATRIX), path)
    whole = path.read_bytes()
    for cut in (3, 10, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError):
            read_binary(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(DataError, match="goes on"):
        read_binary(path)


def test_a_word_with_a_space_cannot_be_exported(tmp_path):
    vectors = Vectors(vocabulary(("new york", "b")), MATRIX[:2])
    for write in (write_text, write_binary):
        with pytest.raises(DataError, match="'new york' cannot be written"):
            write(vectors, tmp_path / "vectors")
