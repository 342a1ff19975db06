"""What the demo's text stages make of its sources, in the clone where the demo was run."""

from __future__ import annotations

import pytest
from tests.support.stranger import Demo

from firth.canonical import read_json
from firth.shards import read_shards

pytestmark = pytest.mark.system

SOURCES = {
    "wikipedia": (106, 439_800, {"redirect": 99, "not an article (other namespace)": 1}),
    "boolq": (10_431, 1_016_300, {"repeated passage": 3678, "reserved for evaluation": 1833}),
    "news": (3824, 2_035_300, {}),
}
"""Documents, words and drops of the demo's sources, as the README states them."""


def test_the_sources_are_as_the_readme_states_them(demo: Demo) -> None:
    for corpus, (documents, words, drops) in SOURCES.items():
        manifest = read_json(demo.clone.folder / "data" / "raw" / corpus / "manifest.json")
        assert (manifest["documents"], manifest["words"]) == (documents, pytest.approx(words, rel=0.002))
        assert {drop["reason"]: drop["documents"] for drop in manifest["drops"]} == drops


def test_what_repeats_or_overlaps_is_left_out_and_counted(demo: Demo) -> None:
    drops = read_json(demo.clone.folder / "data" / "corpus" / "drops.json")
    assert {name: count["documents"] for name, count in drops["kept"].items()} == pytest.approx(
        {"boolq": 10_227, "news": 3770, "wikipedia": 106}, rel=0.005
    )
    shared = [row for row in drops["table"] if "sharing 13" in row["reason"]]
    assert [(row["source"], row["reason"].split()[-1]) for row in shared] == [("boolq", "boolq")]
    assert 30 < shared[0]["documents"] < 80  # passages of one article overlap, also where their questions differ


def test_sentences_are_clean_and_of_a_sentences_length(demo: Demo) -> None:
    corpus = demo.clone.folder / "data" / "corpus"
    shards = read_json(corpus / "manifest.json")["shards"]
    train = read_shards(corpus, [entry for entry in shards if entry["file"].startswith("train/")])
    sentences = [sentence for document in train for sentence in document["sentences"]]
    assert 18 < sum(len(sentence.split()) for sentence in sentences) / len(sentences) < 26
    assert all(sentence and sentence == " ".join(sentence.split()) for sentence in sentences)
    assert not any(
        mark in sentence
        for sentence in sentences
        for mark in ("``", "\u201c", "&amp;", "<br", "â€", "[[", "{{", "|thumb")
    )
