"""`firth vectors`: answers, exchange and the map, on vectors of real text."""

from __future__ import annotations

import json
import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from damage import tear
from trained_words import news
from typer.testing import CliRunner

from firth.cli import app
from firth.config.word2vec import Subwords
from firth.errors import DataError, FirthError
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.vectors import Vectors
from firth.word2vec.matrix_files import save_matrices


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, vectors = news()
    folder = tmp_path_factory.mktemp("news")
    save_matrices(folder, vectors.vocabulary, {"input": vectors.matrix})
    return folder


def firth(*arguments: str | Path) -> str:
    """What the command prints on stdout; its errors are raised."""
    result = CliRunner().invoke(app, ["vectors", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
def test_neighbours_agree_however_they_are_found_and_printed(folder: Path, tmp_path: Path) -> None:
    _, vectors = news()
    asked = ("neighbours", "Australia", "police", "-n", "4", "-v", folder)
    found = json.loads(firth(*asked, "--json"))
    assert [entry["word"] for entry in found] == ["Australia", "police"]
    for entry, word in zip(found, ("australia", "police"), strict=True):
        expected = [{"word": near, "cosine": round(cosine, 6)} for near, cosine in vectors.most_similar(word, 4)]
        assert entry["neighbours"] == expected
    for near in found[1]["neighbours"]:
        assert re.search(rf"\b{re.escape(near['word'])} +{near['cosine']:.3f}", firth(*asked))
    index = tmp_path / "index"
    for more in (("--approximate",), ("--index", index), ("--index", index)):
        assert json.loads(firth(*asked, "--json", *more)) == found
    assert index.is_file()
    index.write_text("torn")
    with pytest.raises(FirthError, match="not an index"):
        firth(*asked, "--index", index)


@pytest.mark.slow
def test_questions_are_answered(folder: Path) -> None:
    _, vectors = news()
    asked = ("analogy", "minister", "prime", "states", "-v", folder)
    for method in ("3cosadd", "3cosmul"):
        answers = json.loads(firth(*asked, "--method", method, "--json"))["answers"]
        expected = vectors.analogy("minister", "prime", "states", 5, method)
        assert [(answer["word"], answer["score"]) for answer in answers] == [(w, round(s, 6)) for w, s in expected]
    assert firth(*asked, "-n", "1").split("\t")[0] == vectors.analogy("minister", "prime", "states")[0][0]
    words = ("monday", "tuesday", "police", "friday")
    assert firth("doesnt-match", *words, "-v", folder) == vectors.doesnt_match(words) + "\n" == "police\n"
    with pytest.raises(FirthError, match=r"'polise' is not in the vocabulary of .* near spellings: police"):
        firth("similarity", "polise", "police", "-v", folder)
    with pytest.raises(FirthError, match="holds no output vectors"):
        firth("neighbours", "police", "-v", folder, "--which", "concat")


def test_words_made_of_their_ngrams_are_marked(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    matrices = {"input": rng.normal(size=(3, 4)).astype(np.float32), "ngrams": rng.normal(size=(9, 4)).astype("f4")}
    save_matrices(tmp_path, Vocabulary(("[red]", "blue", "green"), np.ones(3, np.int64)), matrices, Subwords(buckets=9))
    words = ["green" + "ish" * i for i in range(12)]
    assert "…" not in firth("neighbours", *words, "-n", "2", "-v", tmp_path)
    said = firth("neighbours", "greenish", "green", "-n", "9", "-v", tmp_path)
    assert "greenish*" in said
    assert "green*" not in said
    assert said.endswith("* not in the vocabulary: made of its n-grams\n")
    assert said.count("[red]") == 2
    assert said.count("green ") == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["word2vec-text", "word2vec-binary", "glove"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_vectors_go_out_and_come_back(folder: Path, tmp_path: Path, kind: str, ending: str) -> None:
    _, vectors = news()
    file = tmp_path / f"vectors{ending}"
    assert f"{len(vectors.vocabulary)} words of 48 dimensions" in firth(
        "export", "-v", folder, "--to", file, "--format", kind
    )
    firth("import", file, "--to", tmp_path / "back")
    back = Vectors.load(tmp_path / "back")
    assert back.vocabulary.words == vectors.vocabulary.words
    np.testing.assert_array_equal(back.matrix, vectors.matrix)
    with pytest.raises(FirthError, match="not empty"):
        firth("import", file, "--to", tmp_path / "back")
    tear(file, 50)
    if ending or kind != "glove":
        with pytest.raises(DataError, match=file.name):
            firth("import", file, "--to", tmp_path / "torn")
        assert not (tmp_path / "torn").exists()


WORDS = ("australia", "police", "prime", "minister", "monday", "friday", "india", "pakistan")


@pytest.mark.slow
@pytest.mark.parametrize("projection", ["pca", "tsne"])
def test_the_map_draws_every_word_that_was_chosen(folder: Path, tmp_path: Path, projection: str) -> None:
    file = tmp_path / "map.svg"
    asked = ("map", *WORDS, "-v", folder, "--projection", projection)
    assert "8 words, 8 of them with labels" in firth(*asked, "--to", file)
    drawn = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    names = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert set(WORDS) < set(names)
    dots = list(drawn.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 8
    assert all(0 < float(dot.get("cx", 0)) < 1080 and 64 < float(dot.get("cy", 0)) < 780 for dot in dots)
    assert "prefers-color-scheme: dark" in file.read_text()
    again = tmp_path / "again.svg"
    firth(*asked, "--to", again)
    assert again.read_bytes() == file.read_bytes()
    firth(*asked, "--to", again, "--theme", "light")
    assert "prefers-color-scheme" not in again.read_text()


@pytest.mark.slow
def test_the_map_of_frequent_words_is_a_page_or_a_picture(folder: Path, tmp_path: Path) -> None:
    firth("map", "-v", folder, "-n", "60", "--to", tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("<circle") == 60
    assert str(tmp_path.parent) not in page
    for theme in ("light", "dark"):
        firth("map", "-v", folder, "-n", "60", "--theme", theme, "--to", tmp_path / f"{theme}.png")
        header = (tmp_path / f"{theme}.png").read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", header[16:]) == (2160, 1560)
    assert (tmp_path / "light.png").read_bytes() != (tmp_path / "dark.png").read_bytes()


def test_a_map_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    words = ("a<b", "東京", "c", "d", "e")
    save_matrices(tmp_path, Vocabulary(words, np.ones(5, np.int64)), {"input": np.zeros((5, 3), np.float32)})
    with pytest.raises(FirthError, match=r"the ending names the format: \.svg, \.html, \.png"):
        firth("map", "-v", tmp_path, "--to", tmp_path / "map.jpg")
    with pytest.raises(FirthError, match=r"3 word\(s\): a map needs 4 or more"):
        firth("map", "a<b", "c", "d", "-v", tmp_path, "--to", tmp_path / "map.svg")
    result = CliRunner().invoke(
        app, ["vectors", "map", *words, "-v", str(tmp_path), "--to", str(tmp_path / "map.png")], catch_exceptions=False
    )
    assert "the font of a .png lacks 京東" in result.stderr
    firth("map", *words, "-v", tmp_path, "--to", tmp_path / "map.svg")
    assert "a&lt;b" in (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "0% of the variance" in (tmp_path / "map.svg").read_text(encoding="utf-8")
