"""Wikitext becomes clean prose; a dump is read page by page."""

from __future__ import annotations

import time
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.corpus.sources.wikitext import plain_text
from firth.errors import DataError


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("'''Bold''' and ''slanted'' [[fox|foxes]] of [[London]].", "Bold and slanted foxes of London."),
        ("A[[Category:Animals]] b [[:Category:Animals|see]] [[fr:Renard]]c", "A b see c"),
        ("[[File:a.jpg|thumb|left|alt=[[x]]|A caption with a [[link]].]]Text.", "Text."),
        ("One.<ref name=a>Note {{cite web|url=http://x.org}}</ref> Two.<ref name=a /> Three.", "One. Two. Three."),
        ("{| class=wikitable\n|-\n| cell || cell\n|}\nText.", "Text."),
        ("{{Infobox x\n| name = {{nowrap|y}}\n}}\nText.", "Text."),
        ("== History ==\nText.\n=== Early ===\nMore.", "Text.\n\nMore."),
        ("Text.\n== See also ==\n* [[Other]]\n=== Sub ===\n* x\n== Legacy ==\nEnd.", "Text.\n\nEnd."),
        ("* First item\n** Second [[item]]\n# Third", "First item\n\nSecond item\n\nThird"),
        (
            "It is {{convert|5|to|8|km|mi}} long, {{lang|fr|bonjour}} {{small|big}}.",
            "It is 5 to 8 km long, bonjour big.",
        ),
        ("Andorra ({{IPAc-en|æ}}; {{lang-ca|Andorra}}) is", "Andorra (Andorra) is"),
        ("Andorra ({{IPAc-en|æ}}) is", "Andorra is"),
        (
            "Acid, {{chem|H|2|SO|4}} and H<sub>2</sub>O &amp; more&nbsp;text &ndash; x",
            "Acid, H2SO4 and H2O & more text – x",
        ),
        ("See [http://x.org the site] or http://y.org/a?b=c now.", "See the site or now."),
        ("Formula <math>\\frac{a}{b}</math> ends<!-- [[hidden]] --> here __NOTOC__", "Formula ends here"),
        ("Good.\n[[File:x.jpg|thumb|never closed\nGood too.", "Good.\n\nGood too."),
        ("Seen <!-- never closed [[x]]", "Seen"),
        ("", ""),
    ],
)
def test_wikitext(wikitext, expected):
    assert plain_text(wikitext) == expected


@given(st.text(alphabet="ab \n[]{}|=<>/'*#:!-&;ref", max_size=200))
def test_no_markup_is_left_whatever_it_was(wikitext):
    text = plain_text(wikitext)
    assert not any(mark in text for mark in ("[[", "]]", "{{", "}}", "{|", "|}", "<ref", "  "))
    assert text == "\n\n".join(part.strip() for part in text.split("\n\n"))


def page(title: str, text: str = "", ns: int = 0, extra: str = "") -> str:
    body = f"<revision><id>1</id><text>{escape(text)}</text></revision>"
    return f"<page><title>{title}</title><ns>{ns}</ns><id>1</id>{extra}{body}</page>"


DUMP = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">\n<siteinfo/>\n{}\n</mediawiki>\n'


def test_a_dump_gives_articles_and_counts_the_rest(project: Path, read):
    pages = [
        page("Fox", "A '''fox''' runs."),
        page("Foxes", extra='<redirect title="Fox"/>'),
        page("Talk:Fox", "x", ns=1),
    ]
    (project / "wiki.xml").write_text(DUMP.format("\n".join([*pages, page("Knot", "<div>" * 20_000)])))
    documents, opened = read("wiki.xml", format="mediawiki")
    assert [(d.title, d.text, d.locator) for d in documents] == [("Fox", "A fox runs.", "wiki.xml:Fox")]
    assert [(drop["reason"], drop["example"]) for drop in opened.drops.by_reason()] == [
        ("markup that is never closed", "wiki.xml:Knot"),
        ("not an article (other namespace)", "wiki.xml:Talk:Fox"),
        ("redirect", "wiki.xml:Foxes"),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DUMP.format(page("Fox", "text"))[:-20], "wiki.xml, line 3: broken XML"),
        ("<html><body/></html>", "not a MediaWiki dump: it starts with <html>"),
        ("just text", "not a MediaWiki dump"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><mediawiki>&a;</mediawiki>', "declares entities"),
    ],
)
def test_a_damaged_dump_is_named(project: Path, read, data, message):
    (project / "wiki.xml").write_text(data)
    with pytest.raises(DataError, match=message):
        read("wiki.xml", format="mediawiki")


@pytest.mark.parametrize("text", ["x" * 3_000_000, "[[a]] " * 30_000, "<!--" * 100_000, " " * 1_000_000 + "("])
def test_long_pages_take_no_square_of_their_length(text):
    started = time.process_time()
    plain_text(text)
    assert time.process_time() - started < 20
