import numpy as np
import pytest
from damage import tear
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from trained_words import news

from firth.config.word2vec import Subwords
from firth.errors import FirthError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.search import Approximate
from firth.vectors.spelling import near_spellings
from firth.vectors.unknown import UnknownWordError, out_of_vocabulary
from firth.vectors.vectors import Vectors
from firth.word2vec.matrix_files import FILE, save_matrices

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
        tear(path)
    elif harm == "gone":
        path.unlink()
    elif harm == "nan":
        save_matrices(folder, vocabulary(), {"input": MATRIX * np.float32(np.nan), "output": MATRIX})
    else:
        save_file({"output": MATRIX}, path)
    with pytest.raises(FirthError, match=FILE):
        Vectors.load(folder)


@pytest.mark.parametrize("held", ["nodes", "nothing"])
@pytest.mark.parametrize("which", ["output", "sum", "concat"])
def test_vectors_without_outputs_say_so(tmp_path, held, which):
    matrices = {"input": MATRIX} if held == "nothing" else {"input": MATRIX, "nodes": MATRIX[:-1]}
    save_matrices(tmp_path, vocabulary(), matrices)
    assert Vectors.load(tmp_path).dim == 3
    why = "imported, or trained without" if held == "nothing" else "trained with hierarchical softmax"
    with pytest.raises(FirthError, match=rf"holds no output vectors \({why}\); only `input`"):
        Vectors.load(tmp_path, which)


def test_phrases_and_capitals_find_their_word():
    vectors = Vectors(vocabulary(("new_york", "new", "york", "Paris", "paris", "the . end")), MATRIX)
    for said in ("new_york", "new york", "New York", " New  York\n", "NEW_YORK"):
        assert vectors.vocabulary.words[vectors.id_of(said)] == "new_york"
        assert said in vectors
    assert vectors.vocabulary.words[vectors.id_of("Paris")] == "Paris"
    assert vectors.vocabulary.words[vectors.id_of("PARIS")] == "paris"
    assert vectors.vocabulary.words[vectors.id_of("the . end")] == "the . end"
    with pytest.raises(UnknownWordError, match="'new paris' is not in the vocabulary of 6 words; its words are, each"):
        vectors["new paris"]
    assert [word for word, _ in vectors.most_similar("New York", 9)].count("new_york") == 0


def edits(a, b):
    """Optimal string alignment, as the textbook writes it."""
    table = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            )  # fmt: skip
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(a), len(b)]


@given(st.lists(st.text("abé𝒳", min_size=1, max_size=6), unique=True, max_size=30), st.text("abé𝒳", max_size=6))
def test_near_spellings_are_the_fewest_edits_away(words, word):
    allowed = 0 if not word else 1 if len(word) <= 3 else 2
    ranked = sorted((edits(word, other), i) for i, other in enumerate(words)) if word else []
    assert near_spellings(word, words, 4) == [words[i] for count, i in ranked if count <= allowed][:4]


def test_odd_words_are_simply_unknown():
    vectors = Vectors(vocabulary(), MATRIX)
    for word in ("", " ", "x" * 100_000, "\udcff", "İİİİ", "\x00"):
        assert word not in vectors
        with pytest.raises(UnknownWordError, match="is not in the vocabulary of 6 words"):
            vectors.most_similar(word)


SUBWORDS = Subwords(buckets=50, shortest=3, longest=4)
NGRAMS = np.random.default_rng(5).normal(size=(50, 3)).astype(np.float32)


def test_words_outside_the_vocabulary_are_made_of_their_ngrams(tmp_path):
    save_matrices(tmp_path, vocabulary(), {"input": MATRIX, "output": MATRIX, "ngrams": NGRAMS}, SUBWORDS)
    vectors = Vectors.load(tmp_path)
    made = out_of_vocabulary("kingly", NGRAMS, SUBWORDS)
    np.testing.assert_array_equal(vectors["kingly"], made)
    np.testing.assert_array_equal(vectors["Kingly"], made)
    np.testing.assert_array_equal(vectors["King"], MATRIX[0])
    assert "kingly" not in vectors
    found = vectors.most_similar("kingly", 99)
    assert sorted(word for word, _ in found) == sorted(WORDS)
    cosines = MATRIX @ made / np.linalg.norm(MATRIX, axis=1) / np.linalg.norm(made)
    assert found[0] == (WORDS[cosines.argmax()], pytest.approx(cosines.max(), abs=1e-6))
    assert vectors.similarity("kingly", "kingly") == pytest.approx(1)
    assert len(vectors.analogy("man", "kingly", "woman", 9, "3cosmul")) == 4
    with pytest.raises(UnknownWordError, match="no n-grams of 3"):
        vectors[""]
    with pytest.raises(UnknownWordError, match="not in the vocabulary"):
        Vectors.load(tmp_path, "output")["kingly"]


@pytest.mark.parametrize("harm", ["no settings", "not settings", "other buckets", "other dim"])
def test_ngrams_without_their_settings_are_refused(tmp_path, harm):
    save_matrices(tmp_path, vocabulary(), {"input": MATRIX, "ngrams": NGRAMS}, SUBWORDS)
    about = {"other buckets": '{"buckets": 49, "shortest": 3, "longest": 4}', "not settings": "?"}.get(
        harm, SUBWORDS.model_dump_json()
    )
    ngrams = NGRAMS[:, :2].copy() if harm == "other dim" else NGRAMS
    metadata = None if harm == "no settings" else {"subwords": about}
    save_file({"input": MATRIX, "ngrams": ngrams}, tmp_path / FILE, metadata=metadata)
    with pytest.raises(IntegrityError, match="n-gram"):
        Vectors.load(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")  # gensim's own call
def test_trained_vectors_answer_as_in_gensim():
    theirs, ours = news()

    def same(mine, yours):
        assert [word for word, _ in mine] == [word for word, _ in yours]
        np.testing.assert_allclose([score for _, score in mine], [score for _, score in yours], rtol=1e-4)

    words = [word for word in ours.vocabulary.words[:400] if word.isalpha()][::9]
    for a, b, c in zip(words[::3], words[1::3], words[2::3], strict=False):
        same(ours.most_similar(a), theirs.most_similar(a))
        same(ours.most_similar([a, b], 7, negative=c), theirs.most_similar([a, b], negative=[c], topn=7))
        same(ours.most_similar(ours[a], 5), theirs.most_similar(ours[a], topn=5))
        same(ours.analogy(c, a, b, 5), theirs.most_similar([a, b], negative=[c], topn=5))
        same(ours.analogy(c, a, b, 5, "3cosmul"), theirs.most_similar_cosmul([a, b], negative=[c], topn=5))
        assert ours.doesnt_match([a, b, c, "the"]) == theirs.doesnt_match([a, b, c, "the"])
        assert ours.similarity(a, b) == pytest.approx(theirs.similarity(a, b), abs=1e-6)
    assert ours.neighbours(words, 4) == [ours.most_similar(word, 4) for word in words]
    by_index = ours.neighbours(words, 4, approximate=Approximate.build(ours.exact, threads=1))
    agreed = [set(a) & set(b) for a, b in zip(by_index, ours.neighbours(words, 4), strict=True)]
    assert sum(map(len, agreed)) > 0.95 * 4 * len(words)


def test_what_cannot_be_asked_is_said():
    vectors = Vectors(vocabulary(), MATRIX)
    with pytest.raises(ValueError, match="nothing is asked"):
        vectors.most_similar([])
    with pytest.raises(ValueError, match="these have 3 numbers"):
        vectors.most_similar(MATRIX[0, :2])
    with pytest.raises(ValueError, match="one of 3cosadd, 3cosmul"):
        vectors.analogy("king", "man", "queen", method="cosine")
    with pytest.raises(FirthError, match="one of at least 3"):
        vectors.doesnt_match(["king", "man"])
    assert vectors.doesnt_match(["king", "king", "apple"]) == "apple"
    assert vectors.neighbours([]) == []
