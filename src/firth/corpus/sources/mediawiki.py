"""Articles out of a MediaWiki XML dump, one at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from firth.corpus.drops import Drops
from firth.corpus.sources.documents import Document
from firth.corpus.sources.wikitext import plain_text, tangled
from firth.errors import DataError
from firth.packing import Input

REDIRECT = "redirect"
TANGLED = "markup that is never closed"
NOT_AN_ARTICLE = "not an article (other namespace)"


def read_mediawiki(stream: io.BufferedReader[Any], source: Input, drops: Drops) -> Iterator[Document]:
    """The articles (namespace 0, no redirects) of a dump as plain text; memory holds one page.

    Raises:
        DataError: not a MediaWiki dump, or XML that breaks off.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    root: Element | None = None
    try:
        for event, element in iterparse(stream, events=("start", "end")):
            if root is None:
                root = element
                if _tag(root) != "mediawiki":
                    raise DataError(f"not a MediaWiki dump: it starts with <{_tag(root)}>", source.where)
            if event != "end" or _tag(element) != "page":
                continue
            document = _article(element, source, drops)
            root.clear()
            if document is not None:
                yield document
    except ParseError as error:
        if root is None and error.position[0] == 1:
            raise DataError(f"not a MediaWiki dump: {error}", source.where, 1) from None
        raise DataError(f"broken XML: {error}", source.where, error.position[0]) from None
    except DefusedXmlException as error:
        raise DataError(f"XML that declares entities is refused: {error}", source.where) from None


def _article(page: Element, source: Input, drops: Drops) -> Document | None:
    fields = {_tag(child): child for child in page}
    title = (fields["title"].text or "") if "title" in fields else ""
    locator = f"{source.name}:{title}"
    if "ns" in fields and (fields["ns"].text or "0").strip() != "0":
        drops.add(NOT_AN_ARTICLE, locator)
        return None
    if "redirect" in fields:
        drops.add(REDIRECT, locator)
        return None
    revision = fields.get("revision")
    text = "" if revision is None else next((child.text or "" for child in revision if _tag(child) == "text"), "")
    if tangled(text):
        drops.add(TANGLED, locator)
        return None
    return Document(title, plain_text(text), locator)


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]
