"""Whole corpora through the judge: what passes, what fails, and what is written about it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from damage import tear

from firth.config.text import Validation
from firth.errors import IntegrityError
from firth.validation import Verdict, validate_corpus
from firth.validation.expectations import expectations

Writer = Callable[..., Path]
Document = dict[str, str]
Documents = list[Document]
Good = Callable[..., Documents]
pytestmark = pytest.mark.slow


@pytest.fixture
def judged(tmp_path: Path, write_corpus: Writer, bounds: Validation) -> Callable[[Documents], Verdict]:
    def run(documents: Documents) -> Verdict:
        return validate_corpus("tiny", write_corpus(tmp_path / "tiny", documents), bounds)

    return run


def extra(text: str, number: int = 0) -> Document:
    return {"doc_id": f"bad-{number}", "source": "bad", "title": "", "text": text}


def alter(documents: Documents, ending: str, count: int = 12) -> Documents:
    return [
        one | {"doc_id": f"bad-{index}", "text": one["text"] + ending} if index < count else one
        for index, one in enumerate(documents)
    ]


def failed(verdict: Verdict) -> set[str]:
    return {judgement.name for judgement in verdict.judgements if not judgement.success}


def test_good_text_passes(judged: Callable[[Documents], Verdict], good_documents: Good) -> None:
    verdict = judged(good_documents())
    assert verdict.success, verdict.message
    results = json.loads(verdict.files["results.json"])
    assert results["success"] is True
    assert results["corpus"] == "tiny"
    assert [one["name"] for one in results["expectations"]] == [one.name for one in expectations(Validation())]
    for one in results["expectations"]:
        assert set(one) == {"name", "column", "expected", "observed", "success", "examples"}
    statistics = json.loads(verdict.files["statistics.json"])
    assert statistics["total"]["documents"] == 60
    assert len(statistics["shards"]) > 1
    pages = {"docs/index.html", "docs/statistics.html", "docs/sample.html"}
    assert set(verdict.files) == {"results.json", "statistics.json", *pages}


FAULTS: dict[str, Callable[[Good], Documents]] = {
    "enough documents": lambda good: good(10, 100),
    "enough words": lambda good: good(60, 4),
    "few empty documents": lambda good: good() + [extra(" \n", number) for number in range(3)],
    "few exact duplicates": lambda good: good() + [one | {"doc_id": f"bad-{one['doc_id']}"} for one in good()[:40]],
    "every document has its own id": lambda good: [*good(), good(1, 40, seed=9)[0]],
    "few broken characters": lambda good: [*good(), extra("Some words " + "\ufffd\ufffd " * 100)],
    "few over-long words": lambda good: [*good(), *(extra(letter * 1500, n) for n, letter in enumerate("ab"))],
    "mostly letters": lambda good: [*good(), extra("12345 " * 20_000)],
    "usual word length": lambda good: [*good(), extra("a b c d " * 5_000)],
    "documents of mostly letters": lambda good: good() + [extra(f"12345 67890 {n:04d}", n) for n in range(12)],
    "documents of usual words": lambda good: good() + [extra(f"a b c d e {n} f g h i", n) for n in range(12)],
    "readable documents": lambda good: alter(good(), " it\ufffds"),
    "documents without markup": lambda good: alter(good(), "<br/>"),
    "documents not misread as Latin-1": lambda good: alter(good(), " donâ€™t"),
}


def test_every_expectation_has_a_corpus_that_breaks_it() -> None:
    assert set(FAULTS) == {one.name for one in expectations(Validation())}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_its_expectation_alone(
    name: str, judged: Callable[[Documents], Verdict], good_documents: Good
) -> None:
    verdict = judged(FAULTS[name](good_documents))
    assert failed(verdict) == {name}
    (judgement,) = (one for one in verdict.judgements if not one.success)
    assert not verdict.success
    message = verdict.message
    assert "corpus tiny fails 1 of 14 expectations" in message
    assert f"{name} ({judgement.column}): expected {judgement.expected}; observed" in message
    assert judgement.examples
    for example in judgement.examples:
        assert example["doc_id"] in message
        if name not in ("enough documents", "enough words", "every document has its own id"):
            assert example["doc_id"].startswith("bad-")
    assert json.loads(verdict.files["results.json"])["success"] is False
    assert name in verdict.files["docs/index.html"].decode()


def test_the_same_documents_give_the_same_bytes(judged: Callable[[Documents], Verdict], good_documents: Good) -> None:
    documents = [*alter(good_documents(), "<br/> \ufffd"), extra("", 99)]
    first = judged(documents)
    time.sleep(1.1)  # a time of day in a page would differ now
    assert judged(documents).files == first.files


def test_the_verdict_does_not_depend_on_the_cut_into_shards(
    tmp_path: Path, write_corpus: Writer, bounds: Validation, good_documents: Good
) -> None:
    documents = good_documents(60)
    one = validate_corpus("tiny", write_corpus(tmp_path / "a", documents, 10**9), bounds)
    many = validate_corpus("tiny", write_corpus(tmp_path / "b", documents, 1000), bounds)
    assert one.files["results.json"] == many.files["results.json"]
    assert one.files["docs/sample.html"] == many.files["docs/sample.html"]


class Links(HTMLParser):
    """What a page would load or lead to, its scripts and its controls."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_pages_work_offline_and_escape_what_documents_say(
    judged: Callable[[Documents], Verdict], good_documents: Good
) -> None:
    attack = "<script>alert(1)</script><img src='https://example.org/x.png'>"
    documents = alter(good_documents(), attack)
    documents = [one | {"doc_id": f"{one['doc_id']}{attack}", "source": attack} for one in documents]
    verdict = judged(documents)
    assert not verdict.success
    pages = {name.removeprefix("docs/"): page.decode() for name, page in verdict.files.items() if "docs/" in name}
    for name, page in pages.items():
        found = Links()
        found.feed(page)
        assert not {"script", "link", "iframe", "img", "button", "input", "form"} & set(found.tags), name
        assert not re.search(r"@import|url\(", page)
        for link in found.links:
            if link.startswith("#"):
                assert link[1:] in found.ids, (name, link)
            else:
                assert link in pages, (name, link)
    assert "&lt;script&gt;" in pages["sample.html"]
    assert "&lt;script&gt;" in pages["index.html"]


def test_pages_say_nothing_about_when_and_where(
    judged: Callable[[Documents], Verdict], good_documents: Good, tmp_path: Path
) -> None:
    verdict = judged(alter(good_documents(), "<br/>"))
    for page in verdict.files.values():
        text = page.decode()
        assert str(tmp_path) not in text
        assert socket.gethostname() not in text
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-", text)
        assert not re.search(r"20\d\d-?[01]\d-?[0-3]\d", text)
        assert "__none__" not in text


def test_an_empty_corpus_is_refused_with_reasons(judged: Callable[[Documents], Verdict]) -> None:
    verdict = judged([])
    assert {"enough documents", "enough words"} <= failed(verdict)
    assert "expected at least 20; observed 0" in verdict.message
    assert "There are no documents." in verdict.files["docs/index.html"].decode()


def test_documents_without_words_are_refused(judged: Callable[[Documents], Verdict]) -> None:
    verdict = judged([extra("", number) for number in range(30)])
    assert "few empty documents" in failed(verdict)
    assert "bad-0: (empty)" in verdict.message


def test_ten_megabytes_without_a_space_are_judged_in_seconds(
    judged: Callable[[Documents], Verdict], good_documents: Good
) -> None:
    started = time.perf_counter()
    verdict = judged([*good_documents(), extra("x" * 10_000_000)])
    assert time.perf_counter() - started < 20
    assert "few over-long words" in failed(verdict)
    assert max(map(len, verdict.files.values())) < 100_000
    assert len(verdict.message) < 3000


def test_an_altered_shard_is_refused_by_name(
    tmp_path: Path, write_corpus: Writer, bounds: Validation, good_documents: Good
) -> None:
    folder = write_corpus(tmp_path / "tiny", good_documents())
    shard = folder / "shard-00001.parquet"
    tear(shard)
    with pytest.raises(IntegrityError, match=r"shard-00001\.parquet: .*torn"):
        validate_corpus("tiny", folder, bounds)
    with pytest.raises(IntegrityError, match=r"manifest\.json: no such file"):
        validate_corpus("none", tmp_path / "none", bounds)


def test_write_replaces_what_was_there(
    judged: Callable[[Documents], Verdict], good_documents: Good, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "old.html").write_text("old")
    verdict = judged(good_documents())
    verdict.write(folder)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(verdict.files)
