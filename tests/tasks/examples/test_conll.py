"""Tagged sentences out of CoNLL columns: every tag scheme becomes IOB2, every odd line is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.examples.conftest import task_of

from firth.errors import DataError
from firth.packing import Input
from firth.tasks.examples.conll import iob2, read_tagged, runs

SENTENCE = "{0} NNP B-NP B-PER\nlives VBZ B-VP O\nin IN B-PP O\nNew NNP B-NP B-LOC\nYork{1} NNP I-NP I-LOC\n. . O O\n\n"


def sentences(count: int = 30) -> str:
    return "".join(SENTENCE.format(f"Anna{n}", n) for n in range(count))


def test_sentences_become_tokens_and_tags(built) -> None:
    found = built("tagging", "-DOCSTART- -X- O O\n\n" + sentences() + "-DOCSTART- -X- -X- O\n" + "\n \n", "a.conll")
    assert len(found.train) + len(found.dev) == 30
    example = found.train[0]
    assert example["tokens"][1:4] == ["lives", "in", "New"]
    assert example["tags"] == ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    # A person of two words would be known too.
    assert found.manifest["labels"] == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


def test_columns_by_number_tabs_and_comments(built) -> None:
    rows = "".join(f"# text = Anna {n}\n1\tO\tAnna {n}\tx\n2\tB-X\t#\tx\n#\tO\tc\tx\n\n" for n in range(30))
    found = built("tagging", rows, "a.conll", token_column=2, tag_column=1)
    assert {tuple(e["tokens"]) for e in found.train + found.dev} == {(f"Anna {n}", "#", "c") for n in range(30)}
    assert all(e["tags"] == ["O", "B-X", "O"] for e in found.dev)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends(built, end: str) -> None:
    assert len(built("tagging", sentences().replace("\n", end), "a.conll").dev) == len(
        built("tagging", sentences(), "b.conll").dev
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-PER I-PER O I-PER B-PER I-LOC", "B-PER I-PER O B-PER B-PER B-LOC"),  # IOB1
        ("B-PER I-PER O B-PER B-PER B-LOC", "B-PER I-PER O B-PER B-PER B-LOC"),  # IOB2
        ("S-PER S-PER B-LOC I-LOC E-LOC I-LOC", "B-PER B-PER B-LOC I-LOC I-LOC B-LOC"),  # BIOES
        ("U-PER B-X L-X O L-X", "B-PER B-X I-X O B-X"),  # BILOU
        ("O I-A-B I-A-B", "O B-A-B I-A-B"),
    ],
)
def test_schemes(tags: str, expected: str) -> None:
    assert iob2(tags.split()) == expected.split()


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])))
def test_every_inside_tag_continues_an_entity(tags: list[str]) -> None:
    written = iob2(tags)
    assert iob2(written) == written
    for before, tag in zip(["O", *written], written, strict=False):
        if tag.startswith("I-"):
            assert before[2:] == tag[2:]
    assert [tag[2:] for tag in written] == [tag[2:] for tag in tags]


def test_plain_tags_are_runs_where_entities_are_scored_and_stay_where_words_are(built) -> None:
    assert runs(["O", "PER", "PER", "LOC", "PER"]) == ["O", "B-PER", "I-PER", "B-LOC", "B-PER"]
    rows = "".join(f"Anna{n} PER\nBell PER\nin O\nRome LOC\n\n" for n in range(30))
    assert built("tagging", rows, "a.conll").dev[0]["tags"] == ["B-PER", "I-PER", "O", "B-LOC"]
    assert built("tagging", rows, "a.conll", metric="accuracy").manifest["labels"] == ["LOC", "O", "PER"]


@pytest.mark.parametrize(
    ("data", "fields", "said"),
    [
        ("\n\n-DOCSTART- O\n\n", {}, r"a\.conll: holds no tagged word"),
        (
            sentences() + "alone\n",
            {},
            r"line 211: one column \(a word without a tag\?\), but the first word has 4: 'alone'",
        ),
        ("alone\n" + sentences(), {}, r"a\.conll, line 1: one column, 'alone': a word without a tag"),
        ("a O\nb b-per\n", {}, r"line 2: tag 'b-per' is no IOB tag: these are O, and B- or I- with a type"),
        ("a O\nb B_PER\n", {}, r"line 2: tag 'B_PER' is no IOB tag"),
        (sentences(), {"document_context": True}, r"document_context: no line -DOCSTART- says where a document begins"),
        (sentences() + "too many columns for this file\n", {}, "line 211: 6 columns"),
        (sentences(), {"tag_column": 4}, r"no column 4; there are 0 to 3, or −1 to −4"),
        (sentences(), {"tag_column": -4}, r"token_column and tag_column are both column 0 of 4"),
        ("a\tO\n\tB-X\n", {}, r"line 2: an empty word: ' B-X'"),
        ("a\tO\nb\t\n", {}, r"line 2: an empty tag: 'b"),
        ("a O\nb B-PER\nc PER\n", {}, r"line 3: tag 'PER' is neither O nor, as 'B-PER' is, B- or I- with a type"),
        ("a DET\nb NOUN\n", {}, r"no word has the tag O \(there are DET, NOUN\); for such tags set metric: accuracy"),
        ("a B-\nb O\nc B-X\n", {}, r"line 1: tag 'B-' is neither"),
        (sentences().encode() + b"Jos\xe9 x x O\n", {}, r"line 211: not UTF-8"),
        ("".join(f"a{n} O\n\n" for n in range(40)), {}, r"training examples have one tag \('O'\)"),
    ],
)
def test_what_cannot_be_used_is_named_by_line(built, data, fields, said: str) -> None:
    with pytest.raises(DataError, match=said):
        built("tagging", data, "a.conll", **fields)


def test_an_entity_that_only_the_dev_side_has_is_refused_by_name(built) -> None:
    said = r"dev-a\.conll, line 3: tasks\.t: the dev side has the tag 'B-ORG', 'I-ORG', which no training example has"
    with pytest.raises(DataError, match=said + r".*; correct it, or add such examples to the train file"):
        built("tagging", sentences(), "a.conll", dev="Rain O\n\nThe O\nBank I-ORG\n\n")


def test_types_with_an_underscore_are_no_broken_iob(built) -> None:
    rows = "".join(f"Anna{n} B_cell\nBell T_cell\nin O\nin protein\n\n" for n in range(30))
    assert built("tagging", rows, "a.conll").dev[0]["tags"] == ["B-B_cell", "B-T_cell", "O", "B-protein"]


def documents(lengths: list[list[int]]) -> str:
    """Documents of sentences of so many words; each word says its document, sentence and place."""
    return "".join(
        "-DOCSTART- -X- -X- O\n\n"
        + "".join(
            "".join(f"{d}.{s}.{w} X X {'B-PER' if w % 2 else 'O'}\n" for w in range(count)) + "\n"
            for s, count in enumerate(sentences)
        )
        for d, sentences in enumerate(lengths)
    )


@given(
    st.lists(st.lists(st.integers(2, 6), min_size=1, max_size=8), min_size=1, max_size=3),
    st.integers(16, 30),
)
def test_the_words_around_a_sentence_are_its_neighbours_in_the_document(tmp_path_factory, lengths, length) -> None:
    folder = tmp_path_factory.mktemp("d")
    (folder / "a.conll").write_text(documents(lengths))
    task = task_of("tagging", folder, "a.conll", document_context=True, length=length)
    with (folder / "a.conll").open("rb") as stream:
        found = list(read_tagged(stream, Input("a.conll", "a.conll", 1, lambda: stream), task))
    assert [len(item.example["tokens"]) for item in found] == [count for one in lengths for count in one]
    for item in found:
        example = item.example
        document = item.group.split()
        around = [*example["before"], *example["tokens"], *example["after"]]
        start = document.index(around[0])
        assert document[start : start + len(around)] == around
        assert {word.split(".")[0] for word in document} == {around[0].split(".")[0]}
        assert len(around) == len(document) or len(around) >= length
        room = length - len(example["tokens"])
        for side, rest in (("before", document[:start]), ("after", document[start + len(around) :])):
            assert not rest or len(example[side]) >= room // 2, "a side gives its half, if it has as much"


def test_a_document_stays_on_one_side(built) -> None:
    found = built("tagging", documents([[3, 3, 3]] * 30), "a.conll", document_context=True, dev_share=0.4)
    sides = [{word.split(".")[0] for e in side for word in e["tokens"]} for side in (found.train, found.dev)]
    assert not sides[0] & sides[1]
    assert found.manifest["document_context"] is True
    assert set(found.dev[0]) == {"id", "tokens", "tags", "before", "after"}


def test_one_document_is_one_and_nothing_is_around_without_asking(built) -> None:
    one, other = documents([[3, 3, 4]]), documents([[3], [5, 5]]).replace(".", "-")
    found = built("tagging", one, "a.conll", dev=other, document_context=True)
    assert (len(found.train), len(found.dev)) == (3, 3)
    plain = built("tagging", one, "a.conll", dev=other)
    assert set(plain.dev[0]) == {"id", "tokens", "tags"}
    assert not {"document_context", "pieces"} & plain.manifest.keys()
    assert built("tagging", one, "a.conll", dev=other, pieces="x").manifest["pieces"] == "x"
