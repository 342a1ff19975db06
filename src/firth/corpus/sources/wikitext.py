"""Wikitext to plain paragraphs: prose and list items stay; tables, boxes, notes, media and reference sections go."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import mwparserfromhell
from mwparserfromhell import nodes

APPARATUS = frozenset(
    [
        "bibliography", "citations", "cited sources", "discography", "explanatory notes", "external links",
        "filmography", "footnotes", "further information", "further reading", "gallery", "general references",
        "literature", "literature cited", "notes", "notes and references", "primary sources", "references",
        "references and further reading", "references and notes", "secondary sources", "see also",
        "selected bibliography", "sources", "works cited",
    ]
)  # fmt: skip
"""Sections of an article that hold lists of titles and addresses instead of prose (lower case)."""

_NO_TEXT_TAGS = frozenset(
    [
        "ce", "chem", "gallery", "graph", "hiero", "hr", "imagemap", "mapframe", "maplink", "math", "pre", "ref",
        "references", "score", "script", "section", "source", "style", "syntaxhighlight", "table", "templatedata",
        "timeline",
    ]
)  # fmt: skip
_BLOCK_TAGS = frozenset(["br", "p", "div", "blockquote", "poem", "center", "ul", "ol", "dl", "li", "dt", "dd"])
_MEDIA = re.compile(r"\s*:?\s*(?:file|image|category|media|template|portal|wikt|special)\s*:", re.IGNORECASE)
_INTERWIKI = re.compile(r"\s*[a-z]{2,3}(?:-[a-z]+)?\s*:\S")
_STYLE = re.compile(r"'{2,5}")
_SWITCH = re.compile(r"__[A-Z]+__")
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>\"\[\]]+")
_LEFTOVER = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|^\s*[|!]|\|\s*$|<!--|-->|</?ref\b|\bthumb\|", re.IGNORECASE)
_EMPTY_BRACKETS = re.compile(r"\s?\([\s,;:–-]{0,20}\)|\[\s{0,20}\]")
_AFTER_OPENING = re.compile(r"([(\[])\s*[,;:]\s*|([(\[])\s+")
_BEFORE_CLOSING = re.compile(r"[,;]?\s+([,;:.)\]])")

MOST_WORK = 10**8
"""Openings that are never closed times characters of a page: from here on (many seconds) it is not parsed."""

_VOID = "br|hr|wbr|img|p|li|dt|dd|tr|td|th|references|nowiki"
_PAIRS = (
    (r"\[\[", r"\]\]"),
    (r"\{\{", r"\}\}"),
    (r"\{\|", r"\|\}"),
    (r"\[(?=http)", r"\]"),
    (rf"<(?!(?:{_VOID})\b)[A-Za-z]", r"</|/>"),
)

_Arguments = Sequence[str]


def _first(arguments: _Arguments) -> str:
    return arguments[0] if arguments else ""


def _last(arguments: _Arguments) -> str:
    return arguments[-1] if arguments else ""


def _measure(arguments: _Arguments) -> str:
    """`{{convert|5|to|8|km|mi}}` → `5 to 8 km`, without the converted value."""
    shown: list[str] = []
    for argument in arguments:
        shown.append(argument)
        if not (argument[0].isdigit() or argument[0] in "-−." or argument in _BETWEEN):
            break
    return " ".join(shown)


_BETWEEN = frozenset(["to", "and", "or", "by", "x", "×", "–", "-", "to(-)", "+/-", "±"])

_QUOTATIONS = frozenset(["quote", "cquote", "blockquote", "bq"])

_INLINE: dict[str, Callable[[_Arguments], str]] = {
    **dict.fromkeys(["convert", "cvt"], _measure),
    **dict.fromkeys(["lang", "transl", "transliteration", "color", "font color", "fontcolor"], _last),
    **dict.fromkeys(["nowrap", "nobr", "small", "smaller", "big", "sc", "vanchor", "visible anchor", "angbr"], _first),
    **dict.fromkeys(["abbr", "tooltip", "ill", "nihongo", "flag", "flagcountry", "val", "nts"], _first),
    **dict.fromkeys(_QUOTATIONS, _first),
    "chem": "".join,
    "as of": lambda arguments: " ".join(["As of", *reversed(arguments)]),
    "circa": lambda arguments: " ".join(["c.", *arguments[:1]]),
    "'s": lambda _: "'s",
    **dict.fromkeys(["ndash", "–", "spaced ndash", "snd"], lambda _: " – "),
    **dict.fromkeys(["mdash", "—"], lambda _: " — "),
    **dict.fromkeys(["nbsp", "·", "pipe", "!"], lambda _: " "),
}
"""Templates inside sentences whose arguments are part of the text; every other template goes."""


def plain_text(wikitext: str) -> str:
    """The prose of a page: one paragraph (or list item) a block, blocks separated by a blank line.

    Headings go, as do the sections in `APPARATUS`; a line in which markup is left because it was never closed goes too.
    """
    rendered = _render(mwparserfromhell.parse(_without_comments(wikitext), skip_style_tags=True), top=True)
    paragraphs = (_clean(line) for line in rendered.split("\n"))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def tangled(wikitext: str) -> bool:
    """Whether so much markup is never closed that parsing would take many seconds (the parser tries each opening)."""
    unclosed = 0
    for opening, closing in _PAIRS:
        depth = 0
        for found in re.finditer(f"({opening})|{closing}", wikitext):
            if found[1] is not None:
                depth += 1
            elif depth:
                depth -= 1
        unclosed += depth
    return unclosed * len(wikitext) > MOST_WORK


def _without_comments(wikitext: str) -> str:
    """Comments go before parsing: one inside a link would tear it. One that is never closed reaches to the end."""
    parts: list[str] = []
    at = 0
    while (start := wikitext.find("<!--", at)) >= 0:
        parts.append(wikitext[at:start])
        end = wikitext.find("-->", start + 4)
        at = len(wikitext) if end < 0 else end + 3
    return "".join([*parts, wikitext[at:]])


def _render(code: Any, top: bool = False) -> str:
    parts: list[str] = []
    skipped_level = 0
    for node in code.nodes:
        if isinstance(node, nodes.Heading):
            if skipped_level and node.level > skipped_level:
                continue
            title = _render(node.title).strip().lower()
            skipped_level = node.level if top and title in APPARATUS else 0
            parts.append("\n")
        elif not skipped_level:
            parts.append(_node(node))
    return "".join(parts)


def _node(node: Any) -> str:
    show = _SHOW.get(type(node))
    return "" if show is None else show(node)


def _link(node: Any) -> str:
    target = str(node.title)
    if _MEDIA.match(target) or (node.text is None and _INTERWIKI.match(target)):
        # [[:Category:X|X]] is a visible link, [[Category:X]] and [[File:X|thumb|…]] are not.
        return _render(node.text) if target.lstrip().startswith(":") and node.text is not None else ""
    return _render(node.title if node.text is None else node.text).lstrip(":")


def _template(node: Any) -> str:
    name = str(node.name).strip().lower()
    show = _INLINE.get(name)
    if show is None:
        if not name.startswith("lang-"):
            return ""
        show = _first
    arguments = [_render(parameter.value).strip() for parameter in node.params if not parameter.showkey]
    text = show([argument for argument in arguments if argument])
    return f"\n{text}\n" if name in _QUOTATIONS and text else text


def _element(node: Any) -> str:
    name = str(node.tag).strip().lower()
    if name in _NO_TEXT_TAGS:
        return ""
    inner = "" if node.contents is None else _render(node.contents)
    return f"\n{inner}\n" if name in _BLOCK_TAGS and (node.wiki_markup is None or inner) else inner


def _clean(line: str) -> str:
    # Blanks are joined first: behind `\s*`, a long run of them would cost its square.
    line = " ".join(_SWITCH.sub("", _ADDRESS.sub("", line)).split())
    if _LEFTOVER.search(line):
        return ""
    line = _EMPTY_BRACKETS.sub("", _EMPTY_BRACKETS.sub("", _STYLE.sub("", line)))
    line = _AFTER_OPENING.sub(lambda found: found[1] or found[2], line)
    line = " ".join(_BEFORE_CLOSING.sub(r"\1", line).split()).lstrip("*#:; ")
    return line if any(character.isalnum() for character in line) else ""


_SHOW: dict[type, Callable[[Any], str]] = {
    nodes.Text: lambda node: str(node.value),
    nodes.HTMLEntity: lambda node: str(node.normalize()),
    nodes.ExternalLink: lambda node: "" if node.title is None else _render(node.title),
    nodes.Wikilink: _link,
    nodes.Template: _template,
    nodes.Tag: _element,
}
"""How each kind of node reads; comments, parameters of templates and headings do not."""
