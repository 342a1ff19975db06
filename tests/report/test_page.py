"""The page as a whole: complete, offline, safe against the text it shows, the same bytes every time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from firth.config import load_params
from firth.report.collect import collect, to_bytes
from firth.report.inputs import read_inputs
from firth.report.page import render, section, spoken
from firth.tasks.words.opposites import TRIPLES

SECTIONS = [
    "headline", "corpora", "drops", "validation", "training", "neighbours", "antonyms", "analogies", "similarity",
    "map", "relations", "pretraining", "fill", "attention", "senses", "tasks", "lineage",
]  # fmt: skip
VOID = {"meta", "input", "br"}


def reference_of(root: Path) -> Path | None:
    folder = root / "reference"
    return folder if folder.is_dir() else None


def draw(root: Path) -> tuple[str, bytes]:
    params = load_params(root / "params.yaml")
    report = collect(read_inputs(root / "data", list(params.tasks)), params, reference_of(root))
    written = to_bytes(report)
    return render(json.loads(written), data=".."), written


class Tree(HTMLParser):
    """Ids, addresses, scripts and the order of open elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if found.get("id") else []
        self.addresses += [str(found[key]) for key in ("src", "href", "action", "data", "poster") if key in found]
        self.handlers += [key for key in found if key.startswith("on") or key == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(project: Path) -> str:
    return draw(project)[0]


def test_same_inputs_same_bytes(project: Path) -> None:
    assert draw(project) == draw(project)


def test_the_antonym_study_says_what_was_found(page: str) -> None:
    section = page[page.index('<section id="antonyms">') : page.index('<section id="analogies">')]
    for model in ("skipgram", "cbow"):
        assert f"antonym-study-{model}-title" in section
    assert section.count("Opposites lie at a mean cosine of") == 2
    assert f"Of {len(TRIPLES)} words, {len(TRIPLES) - 3} are left out" in section
    assert all(f'<th scope="row">{triple.word}</th><td>{triple.antonym}</td>' in section for triple in TRIPLES)


def test_every_section_is_there_once_and_elements_are_balanced(page: str) -> None:
    tree = Tree(page)
    assert [name for name in tree.ids if name in SECTIONS] == SECTIONS
    assert len(tree.ids) == len(set(tree.ids))
    assert tree.open == []
    assert {address[1:] for address in tree.addresses if address.startswith("#")} <= set(tree.ids)


def test_asks_nothing_of_a_network(page: str) -> None:
    tree = Tree(page)
    outside = [address for address in tree.addresses if not address.startswith("#")]
    assert outside == ["../validation/wikipedia/docs/index.html"]
    assert "http" not in page.lower().replace("http-equiv", "")
    assert "@import" not in page and "url(" not in page
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & set(tree.tags)


def test_text_of_a_corpus_stays_text(page: str) -> None:
    tree = Tree(page)
    assert tree.tags.count("script") == 1
    assert tree.handlers == []
    assert page.count("&lt;script&gt;alert(&#39;corpus&#39;)&lt;/script&gt;") == 4


def test_a_hostile_word_stays_text_in_charts_too(build: Callable[..., Path]) -> None:
    root = build()
    table = root / "data" / "vectors" / "skipgram" / "vocabulary.tsv"
    table.write_text(table.read_text().replace("paris\t", "<b>paris</b>\t"))
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("[france, paris]", '[france, "<b>paris</b>"]'))
    page, _ = draw(root)
    assert "<b>paris" not in page
    assert "france → &lt;b&gt;paris&lt;/b&gt;" in page


def test_content_policy_allows_just_the_own_style_and_script(page: str) -> None:
    for tag, policy in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{policy} &#39;sha256-{digest}&#39;" in page or f"{policy} 'sha256-{digest}'" in page


def test_every_colour_is_a_variable_with_a_dark_twin(page: str) -> None:
    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    blocks = re.findall(r"\{((?:\s*(?:--[\w-]+|color-scheme): [^;]+;)+)\s*\}", style)
    light, dark, chosen = (dict(re.findall(r"(--[\w-]+): ([^;]+);", block)) for block in blocks[:3])
    used = set(re.findall(r"var\((--[\w-]+)", page)) - {"--model"}
    assert used <= set(light)
    assert light.keys() == dark.keys()
    assert dark == chosen
    assert all(light[name] != dark[name] for name in light)
    rest = page
    for block in blocks[:3]:
        rest = rest.replace(block, "")
    assert not re.findall(r"(?:fill|stroke|color|background)[\w-]*(?:=\"|: ?)#[0-9a-f]{3}|rgba?\(", rest)


def test_text_can_be_read_in_both_themes(page: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    blocks = re.findall(r"\{((?:\s*(?:--[\w-]+|color-scheme): [^;]+;)+)\s*\}", style)
    for block in blocks[:2]:
        colours = dict(re.findall(r"--([\w-]+): ([^;]+);", block))
        paper = luminance(colours["paper"])
        for name in ("ink", "soft", "accent", "good", "bad", "skipgram", "cbow", "bert", "random", "reference"):
            lighter, darker = sorted((luminance(colours[name]), paper), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


def test_every_class_of_a_drawing_is_styled(page: str) -> None:
    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    for drawing in re.findall(r"<svg.*?</svg>", page, re.S):
        for classes in re.findall(r'class="([^"]+)"', drawing):
            assert all(f".{name}" in style for name in classes.split()), classes


def test_one_model_and_no_heldout_loss(build: Callable[..., Path]) -> None:
    page, written = draw(build({"cbow": 3}, heldout=False))
    words = page[: page.index('<section id="tasks"')]
    assert "CBOW and BERT from" in page and "Skip-gram" not in words.replace("skip-gram", "")
    assert "No held-out loss was measured." in page
    assert json.loads(written)["models"]["cbow"]["loss"]["heldout"] == []
    assert 'class="both"' not in page


def test_no_loss_at_all_is_said(build: Callable[..., Path]) -> None:
    root = build()
    (root / "data" / "vectors" / "skipgram" / "history.json").write_text("[]")
    assert "No loss was recorded." in draw(root)[0]


def test_a_word_that_is_not_known_is_said_with_near_spellings(build: Callable[..., Path]) -> None:
    root = build()
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("[dog, book, cricket, boat, gold]", "[dog, silber, qqqq]"))
    page, _ = draw(root)
    assert "“silber” is not in the vocabulary. Spelt nearly so: silver." in page
    assert "“qqqq” is not in the vocabulary.</p>" in page
    assert "Not in the vocabulary: big, small (of big – small)" in page


def test_scores_that_could_not_be_measured_are_said(page: str) -> None:
    assert "not measurable" in page
    assert "none of 1,332 questions has all its words here" in page
    assert "−0.050" in page and "-0.050" not in page


def test_the_drop_table_holds_both_steps(project: Path) -> None:
    rows = json.loads(draw(project)[1])["drops"]
    assert [(row["step"], row["reason"], row["documents"], row["words"]) for row in rows] == [
        ("reading", "reserved for evaluation", 11, None),
        ("preparing", "exact duplicate", 7, 700),
        ("preparing", "too short", 1, 2),
    ]


def test_a_failed_validation_is_open_and_leads(page: str) -> None:
    assert '<span class="no">Validation failed</span> for news.' in page
    assert '<details class="check" open>' in page


def test_a_vocabulary_without_content_words_draws_no_map(build: Callable[..., Path]) -> None:
    root = build()
    params = root / "params.yaml"
    table = root / "data" / "vectors" / "skipgram" / "vocabulary.tsv"
    table.write_text("".join(f"w{i}\t{1000 - i}\n" for i, _ in enumerate(table.read_text().splitlines())))
    assert params.is_file()
    page, written = draw(root)
    assert "Skip-gram knows too few content words to draw a map." in page
    assert "None of the pairs is in the vocabulary." in page
    assert "Fewer than two of the pairs are in the vocabulary." in page
    assert json.loads(written)["models"]["skipgram"]["map"]["points"] == []


@pytest.mark.parametrize(("value", "said"), [(3_281_700, "3.28 million"), (2e9, "2 billion"), (99_000, "99,000")])
def test_headline_numbers(value: float, said: str) -> None:
    assert spoken(value) == said


def test_section_names_are_written_out() -> None:
    assert section("gram3-comparative") == "comparative"
    assert section("capital-common-countries") == "capital common countries"
