"""Vectors as files: the numbers come back, half a file never appears."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from firth.encode import files
from firth.encode.files import TextVectors, check_ending, write_lines, write_vectors
from firth.errors import FirthError

CHANCE = np.random.default_rng(1)
WHOLE = [TextVectors(text, None, CHANCE.normal(size=6).astype(np.float32)) for text in ("Zürich\n東京", "", "a")]
PARTS = [
    TextVectors("über den", ["über", "den"], CHANCE.normal(size=(2, 6)).astype(np.float32)),
    TextVectors("", [], np.empty((0, 6), dtype=np.float32)),
    TextVectors("x", ["x"], CHANCE.normal(size=(1, 6)).astype(np.float32)),
]


@pytest.mark.parametrize("rows", [WHOLE, PARTS])
def test_json_lines_give_the_same_float32_back(tmp_path, rows):
    assert write_vectors(tmp_path / "new" / "v.jsonl", rows) == 3
    lines = [json.loads(line) for line in (tmp_path / "new" / "v.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    for line, row in zip(lines, rows, strict=True):
        assert line["text"] == row.text
        assert line.get("names") == row.names
        read = np.array(line["vector" if row.names is None else "vectors"], dtype=np.float32)
        np.testing.assert_array_equal(read.reshape(-1, 6), row.vectors.reshape(-1, 6))
    stream = io.StringIO()
    assert write_lines(stream, rows) == 3
    assert stream.getvalue() == (tmp_path / "new" / "v.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("group", [1, 2, 3, 1024])
def test_parquet(tmp_path, monkeypatch, group):
    monkeypatch.setattr(files, "ROW_GROUP", group)
    assert write_vectors(tmp_path / "new" / "v.parquet", iter(WHOLE)) == 3
    read = pq.read_table(tmp_path / "new" / "v.parquet")
    assert read.schema.equals(pa.schema({"text": pa.string(), "vector": pa.list_(pa.float32(), 6)}))
    assert read["text"].to_pylist() == [row.text for row in WHOLE]
    for found, row in zip(read["vector"], WHOLE, strict=True):
        np.testing.assert_array_equal(np.array(found.as_py(), np.float32), row.vectors)
    assert pq.ParquetFile(tmp_path / "new" / "v.parquet").num_row_groups == -(-3 // group)


@pytest.mark.parametrize("group", [1, 2, 1024])
def test_parquet_of_parts(tmp_path, monkeypatch, group):
    monkeypatch.setattr(files, "ROW_GROUP", group)
    assert write_vectors(tmp_path / "v.parquet", iter(PARTS)) == 3
    read = pq.read_table(tmp_path / "v.parquet")
    assert read.column_names == ["text", "names", "vectors"]
    assert read["names"].to_pylist() == [row.names for row in PARTS]
    for found, row in zip(read["vectors"], PARTS, strict=True):
        np.testing.assert_array_equal(np.array(found.as_py(), np.float32).reshape(-1, 6), row.vectors)


def test_numpy(tmp_path):
    write_vectors(tmp_path / "v.npy", iter(WHOLE))
    read = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, [row.vectors for row in WHOLE])


def test_safetensors(tmp_path):
    write_vectors(tmp_path / "v.safetensors", WHOLE)
    read = load_file(tmp_path / "v.safetensors")
    assert list(read) == ["vectors"]
    np.testing.assert_array_equal(read["vectors"], [row.vectors for row in WHOLE])


def test_safetensors_of_parts(tmp_path):
    write_vectors(tmp_path / "v.safetensors", PARTS)
    read = load_file(tmp_path / "v.safetensors")
    names = read["names"].tobytes().decode().splitlines()
    assert read["starts"].tolist() == [0, 2, 2, 3]
    for row, start, end in zip(PARTS, read["starts"][:-1], read["starts"][1:], strict=True):
        assert names[start:end] == row.names
        np.testing.assert_array_equal(read["vectors"][start:end], row.vectors)


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".npy", ".safetensors"])
def test_half_a_file_never_appears(tmp_path, ending):
    path = tmp_path / f"v{ending}"
    path.write_text("before")

    def broken():
        yield WHOLE[0]
        raise FirthError("the model stopped")

    with pytest.raises(FirthError, match="the model stopped"):
        write_vectors(path, broken())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "before"


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".npy", ".safetensors"])
def test_a_place_that_cannot_be_is_said(tmp_path, ending):
    (tmp_path / "file").write_text("")
    with pytest.raises(FirthError, match=rf"v\{ending}: cannot be written"):
        write_vectors(tmp_path / "file" / f"v{ending}", WHOLE)


def test_endings(tmp_path):
    with pytest.raises(FirthError, match=r"\.parquet, \.safetensors, \.npy, \.jsonl"):
        check_ending(tmp_path / "v.csv", "mean")
    with pytest.raises(FirthError, match=r"holds one vector a text, and words gives several"):
        check_ending(tmp_path / "v.npy", "words")
    check_ending(tmp_path / "v.npy", "cls")
