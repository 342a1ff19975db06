"""Files of every format and packing become documents; damage is one error that names file and line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from firth.config.corpora import FileSource
from firth.corpus.sources import open_source
from firth.errors import DataError, IntegrityError

PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}
LINES = "".join(json.dumps({"text": f"Record {number} says good morning."}) + "\n" for number in range(5000)).encode()


def texts(documents):
    return [document.text for document in documents]


@pytest.mark.parametrize("ending", PACK)
def test_packed_files_read_like_plain_ones(project: Path, read, ending):
    (project / f"a.jsonl.{ending}").write_bytes(PACK[ending](LINES))
    documents, opened = read(f"a.jsonl.{ending}", format="jsonl")
    assert len(documents) == 5000
    assert documents[4999].text == "Record 4999 says good morning."
    assert documents[4999].locator == f"a.jsonl.{ending}:5000"
    assert opened.bytes.done == opened.bytes.total == (project / f"a.jsonl.{ending}").stat().st_size


@pytest.mark.parametrize("ending", PACK)
def test_two_packed_streams_in_one_file_are_both_read(project: Path, read, ending):
    (project / f"a.jsonl.{ending}").write_bytes(PACK[ending](LINES) * 2)
    assert len(read(f"a.jsonl.{ending}", format="jsonl")[0]) == 10_000


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("cut", [0.5, 0.999])
def test_a_truncated_packed_file_is_an_error(project: Path, read, ending, cut):
    data = PACK[ending](LINES)
    (project / f"a.jsonl.{ending}").write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(DataError, match=rf"a\.jsonl\.{ending}.*truncated"):
        read(f"a.jsonl.{ending}", format="jsonl")


@pytest.mark.parametrize("ending", PACK)
def test_a_file_that_is_not_packed_as_it_says_is_an_error(project: Path, read, ending):
    (project / f"a.jsonl.{ending}").write_bytes(LINES)
    with pytest.raises(DataError, match="damaged"):
        read(f"a.jsonl.{ending}", format="jsonl")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "mediawiki"])
def test_an_empty_file_is_an_error(project: Path, read, kind):
    (project / "a.gz").write_bytes(gzip.compress(b""))
    (project / "a").write_bytes(b"")
    for name in ("a", "a.gz"):
        with pytest.raises(DataError, match=f"{name}: empty file"):
            read(name, format=kind)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("file", [("One\ntwo\n\n\nthree\n", "a.txt")]),
        ("paragraph", [("One\ntwo", "a.txt:1"), ("three", "a.txt:5")]),
        ("line", [("One", "a.txt:1"), ("two", "a.txt:2"), ("three", "a.txt:5")]),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_a_document_is_in_plain_text(project: Path, read, unit, expected, ends):
    text = "\ufeffOne\ntwo\n\n\nthree\n".replace("\n", ends)
    (project / "a.txt").write_bytes(text.encode())
    documents, _ = read("a.txt", text_documents=unit)
    assert [(document.text, document.locator) for document in documents] == expected


def test_text_without_a_last_line_end_and_with_old_line_ends(project: Path, read):
    (project / "a.txt").write_bytes(b"One\rtwo\rthree")
    assert texts(read("a.txt")[0]) == ["One\ntwo\nthree"]


def test_bytes_that_are_not_utf8_are_named_by_line_and_offset(project: Path, read):
    (project / "a.txt").write_bytes("première\n".encode() + "deuxième\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt, line 2: not UTF-8: byte 0xe8 at offset 15 of the file"):
        read("a.txt", text_documents="line")


def test_utf16_is_named(project: Path, read):
    (project / "a.txt").write_bytes("Hello there".encode("utf-16"))
    with pytest.raises(DataError, match="UTF-16"):
        read("a.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "no text"}', r"line 3: no field 'text'; there are: body"),
        ('["text"]', "line 3: expected a JSON object, found a list"),
        ('{"text": 7}', "line 3: field 'text' holds a number, not text"),
        ('{"text": {"a": "b"}}', "line 3: field 'text' holds an object, not text"),
        ('{"text": "broken', "line 3: not valid JSON"),
        ("[" * 100_000, "line 3: not valid JSON: nested too deeply"),
    ],
)
def test_a_json_line_that_is_not_a_record_is_named(project: Path, read, line, message):
    (project / "a.jsonl").write_text('{"text": "good"}\n\n' + line + "\n")
    with pytest.raises(DataError, match=rf"a\.jsonl, {message}"):
        read("a.jsonl", format="jsonl")


def test_a_null_text_is_dropped_and_counted_and_a_lone_surrogate_mended(project: Path, read):
    (project / "a.jsonl").write_text('{"text": null}\n{"text": "half \\ud83d pair", "t": 5}\n')
    documents, opened = read("a.jsonl", format="jsonl", title_field="t")
    assert texts(documents) == ["half \ufffd pair"]
    assert documents[0].title == "5"
    assert opened.drops.by_reason() == [{"reason": "no text (null)", "documents": 1, "example": "a.jsonl:1"}]


def test_a_title_field_that_no_record_has_is_refused(project: Path, read):
    (project / "a.jsonl").write_text('{"text": "good"}\n')
    with pytest.raises(DataError, match="no record has the title field 'headline'"):
        read("a.jsonl", format="jsonl", title_field="headline")


def test_csv_with_quotes_line_ends_inside_and_a_byte_order_mark(project: Path, read):
    data = '\ufefftitle,text\r\nFirst,"He said ""no"",\r\nthen left."\r\nSecond,Plain\r\n'
    (project / "a.csv").write_bytes(data.encode())
    documents, _ = read("a.csv", format="csv", title_field="title")
    assert [(d.title, d.text, d.locator) for d in documents] == [
        ("First", 'He said "no",\nthen left.', "a.csv:2"),
        ("Second", "Plain", "a.csv:4"),
    ]


def test_tab_separated_values_are_told_by_their_ending(project: Path, read):
    (project / "a.tsv.gz").write_bytes(gzip.compress(b"id\ttext\n1\tone, two\n"))
    assert texts(read("a.tsv.gz", format="csv")[0]) == ["one, two"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("id,body\n1,x\n", r"no field 'text'; there are: id, body"),
        ("id,text\n1,x\n2\n", "line 3: 1 fields, but the header names 2"),
        ("id,text\n1,x,y\n", "line 2: 3 fields, but the header names 2"),
        ('id,text\n1,x\n2,"never closed\n3,y\n', "line 3: not valid CSV: unexpected end of data"),
    ],
)
def test_damaged_csv_is_named(project: Path, read, data, message):
    (project / "a.csv").write_text(data)
    with pytest.raises(DataError, match=rf"a\.csv.*{message}"):
        read("a.csv", format="csv")


def test_parquet_plain_and_packed(project: Path, read):
    table = pa.table({"text": ["one", None, "three"], "name": ["a", "b", None]})
    pq.write_table(table, project / "a.parquet")
    (project / "b.parquet.zst").write_bytes(zstandard.compress((project / "a.parquet").read_bytes()))
    for name in ("a.parquet", "b.parquet.zst"):
        documents, opened = read(name, format="parquet", title_field="name")
        assert [(d.title, d.text) for d in documents] == [("a", "one"), ("", "three")]
        assert opened.drops.by_reason()[0]["documents"] == 1


def test_damaged_parquet_is_named(project: Path, read):
    pq.write_table(pa.table({"body": ["one"], "text": [1]}), project / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: no field 'story'; there are: body, text"):
        read("a.parquet", format="parquet", text_field="story")
    with pytest.raises(DataError, match=r"column 'text' holds int64, not text"):
        read("a.parquet", format="parquet")
    (project / "b.parquet").write_bytes((project / "a.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"b\.parquet: not readable as Parquet"):
        read("b.parquet", format="parquet")


def test_ten_megabytes_without_a_blank_are_one_document(project: Path, read):
    (project / "a.jsonl").write_text(json.dumps({"text": "x" * 10_000_000}) + "\n")
    (document,) = read("a.jsonl", format="jsonl")[0]
    assert len(document.text) == 10_000_000


def test_changed_bytes_are_refused_with_the_remedy(project: Path, source_of: Callable[..., FileSource]):
    (project / "a.txt").write_text("one")
    source = source_of("a.txt")
    (project / "a.txt").write_text("two")
    with pytest.raises(IntegrityError, match=r"corpora\.notes: .*firth corpus pin notes"):
        open_source("notes", source)
