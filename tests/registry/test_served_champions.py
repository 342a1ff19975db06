"""Champions of the registry, served by address over HTTP: they answer as the library does, and say what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mlflow_server import post, serving
from one_thread import one_thread  # noqa: F401
from scored_project import WORDS, ScoredProject

from firth.encode.load import load_model
from firth.encode.use import encode, fill
from firth.registry.promote import promote_all
from firth.tracking.store import URI_VARIABLE
from firth.vectors.vectors import Vectors

TEXTS = ["the king of [MASK]", "[MASK] and the [MASK]", "paris"]
LONG = " ".join(["the"] * 40)  # the model reads 32 tokens


class Served(NamedTuple):
    """The project's folder, and where its two champions answer."""

    root: Path
    bert: int
    words: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    project = ScoredProject(folder / "project")
    store = project.root / ".firth" / "mlflow"
    shutil.copytree(mlflow_template, store)
    address = {URI_VARIABLE: f"sqlite:///{store / 'mlflow.db'}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        for variable in ("FIRTH_STATE", URI_VARIABLE, "FIRTH_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID"):
            patch.delenv(variable, raising=False)
        project.pretrain(1)
        project.train("skipgram", 1)
        promote_all(project.root, ["bert", "skipgram"])
        with serving(["models:/bert@champion", "models:/word2vec-skipgram@champion"], folder, address) as ports:
            yield Served(project.root, *ports)


def answers(port: int, rows: list[dict[str, Any]], **params: Any) -> list[dict[str, Any]]:
    status, said = post(port, {"dataframe_records": rows, "params": params})
    assert status == 200, said
    found: list[dict[str, Any]] = said["predictions"]
    return found


def refusal(port: int, rows: list[dict[str, Any]], **params: Any) -> str:
    """Our sentence; before it MLflow repeats the request."""
    status, said = post(port, {"dataframe_records": rows, "params": params})
    assert (status, said["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), said
    assert "stack_trace" not in said
    return str(said["message"]).partition("\nError: ")[2]


@pytest.mark.system
def test_the_champion_fills_masks(served: Served) -> None:
    texts = [*TEXTS[:2], f"[MASK] {LONG} [MASK]"]
    found = answers(served.bert, [{"text": text} for text in texts], topn=3)
    expected = fill(load_model(served.root / "data" / "models" / "bert"), texts, 3)
    assert [one["fillings"] for one in found] == [[[piece for piece, _ in mask] for mask in text] for text in expected]
    for one, text in zip(found, expected, strict=True):
        for shares, mask in zip(one["probabilities"], text, strict=True):
            assert shares == pytest.approx([share for _, share in mask], abs=1e-5)
    assert [one["cut"] for one in found] == [False, False, True]
    assert [len(one["fillings"]) for one in found] == [1, 2, 1], "the second [MASK] of the long text is not read"


@pytest.mark.system
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_champion_encodes(served: Served, pooling: Any) -> None:
    texts = [*TEXTS, LONG]
    found = answers(served.bert, [{"text": text} for text in texts], task="encode", pooling=pooling)
    expected = encode(load_model(served.root / "data" / "models" / "bert"), texts, pooling=pooling)
    for one, vector in zip(found, expected, strict=True):
        assert one["vector"] == pytest.approx(vector.tolist(), abs=1e-5)
    assert [one["cut"] for one in found] == [False, False, False, True]


@pytest.mark.system
def test_the_champion_says_why_it_does_not_answer(served: Served) -> None:
    rows = [{"text": text} for text in TEXTS]
    port = served.bert
    assert refusal(port, rows) == (
        "row 3: no [MASK] in the first 32 tokens, which are all that is read; "
        "write [MASK] in place of the word that is asked for"
    )
    assert refusal(port, [rows[0], {"text": f"{LONG} [MASK]"}]).startswith("row 2: no [MASK] in the first 32 tokens")
    assert refusal(port, [rows[0], {"text": None}]) == "row 2: there is no text; send a string"
    assert refusal(port, rows, task="neighbours") == "task is 'neighbours'; there are: fill, encode"
    assert refusal(port, rows, task="encode", pooling="max") == "pooling is 'max'; there are: mean, cls"
    for topn in (0, 101):
        assert refusal(port, rows[:2], topn=topn) == f"topn is {topn}; it is from 1 to 100"
    assert refusal(port, rows[:1] * 257) == "a request may have 256 rows; this one has 257: send it in parts"
    assert refusal(port, [{"text": "[MASK] " * 142_858}]) == (
        "a request may have 1000000 characters; this one has 1000006: send it in parts"
    )
    assert len(answers(port, rows[:1] * 256)) == 256


@pytest.mark.system
def test_the_champion_of_words_names_neighbours(served: Served) -> None:
    vectors = Vectors.load(served.root / "data" / "vectors" / "skipgram")
    known, unknown = ["king", "Paris"], "zebra"
    found = answers(served.words, [{"word": word} for word in [*known, unknown]], topn=3)
    assert [one["known"] for one in found] == [True, True, False]
    for one, near in zip(found, vectors.neighbours(["king", "paris"], 3), strict=False):
        assert one["neighbours"] == [word for word, _ in near]
        assert one["similarities"] == pytest.approx([cosine for _, cosine in near], abs=1e-5)
    assert (found[2]["neighbours"], found[2]["similarities"]) == ([], [])
    rows = [{"word": word} for word in WORDS]
    for row, one in zip(rows, answers(served.words, rows, task="encode"), strict=True):
        assert one["vector"] == pytest.approx(vectors[row["word"]].tolist(), abs=1e-6)


@pytest.mark.system
def test_the_champion_of_words_says_why_it_does_not_answer(served: Served) -> None:
    rows, port = [{"word": "king"}, {"word": "queen"}], served.words
    assert refusal(port, rows, task="fill") == "task is 'fill'; there are: neighbours, encode"
    for topn in (0, 101):
        assert refusal(port, rows, topn=topn) == f"topn is {topn}; it is from 1 to 100"
    assert refusal(port, [rows[0], {"word": None}]) == "row 2: there is no word; send a string"
    assert refusal(port, rows * 501) == "a request may have 1000 rows; this one has 1002: send it in parts"
