"""Text as its author wrote it: encoding damage mended, markup and invisible characters gone, paragraphs apart."""

from __future__ import annotations

import re
import unicodedata

import ftfy

WRAPPED_CHARACTERS = 100
"""A document whose longest line is no longer than this is hard-wrapped: its single line ends are blanks."""

_FTFY = ftfy.TextFixerConfig(normalization="NFC", explain=False)

_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF])
"""Soft hyphens, zero-width blanks and direction marks; the joiners stay, Persian and Indic words need them."""

_BLOCKS = "p|br|div|ul|ol|li|h[1-6]|table|tr|td|th|blockquote|center|hr|pre"
_SPANS = "span|a|b|i|u|s|em|strong|small|big|font|sup|sub|img|code|tt|cite|ref|nowiki"
_EMPTY_LINES = re.compile(r"\n{3,}")
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCKS})\b[^<>]{{0,1000}}>", re.IGNORECASE)
_SPAN_TAG = re.compile(rf"</?(?:{_SPANS})\b[^<>]{{0,1000}}>", re.IGNORECASE)

# A quotation mark (U+2018–U+201D) or dash that went through a second, wrong decoding comes out as `"?` or `"` + U+FFFD:
# the second character stands for the rest of its bytes and, with `?`, for the blank that followed.
_LOST_APOSTROPHE = re.compile('(?<=\\w)"\ufffd?(?=(?:[smtd]|re|ve|ll)\\b)', re.IGNORECASE)
_LOST_DASH = re.compile(r'(?<=\s)"\?(?=\w)')
_LOST_CLOSING = re.compile(r'(?<=\S)"\?(?=[\w"(\[#@&-])')
_LOST_OPENING = re.compile('"\ufffd')


def repaired(text: str) -> list[str]:
    """`text` as clean paragraphs, each on one line with single blanks, none empty; the text is in NFC.

    Repairs: mojibake, HTML entities, ligatures, full-width letters, control characters and curled quotes by ftfy;
    LaTeX quotes (``so''); quotation marks lost in a second decoding; HTML tags; zero-width and soft-hyphen characters.
    A blank line ends a paragraph; a line end does too, unless the document is hard-wrapped.
    """
    # ftfy takes each line by itself: a run of empty ones would cost seconds.
    text = ftfy.fix_text(_EMPTY_LINES.sub("\n\n", text), _FTFY)
    if "<" in text:
        text = _SPAN_TAG.sub("", _BLOCK_TAG.sub("\n\n", text))
    if "``" in text:
        text = text.replace("``", '"').replace("''", '"')
    if '"' in text:
        text = _with_lost_quotes(text)
    text = text.translate(_INVISIBLE)
    return [unicodedata.normalize("NFC", paragraph) for paragraph in _paragraphs(text)]


def _with_lost_quotes(text: str) -> str:
    text = _LOST_APOSTROPHE.sub("'", text)
    if '"?' not in text and '"\ufffd' not in text:
        return text
    text = _LOST_OPENING.sub('"', text)
    text = _LOST_DASH.sub("- ", text)
    return _LOST_CLOSING.sub('" ', text)


def _paragraphs(text: str) -> list[str]:
    lines = [" ".join(line.split()) for line in text.split("\n")]
    if max(map(len, lines)) > WRAPPED_CHARACTERS:
        return [line for line in lines if line]
    paragraphs: list[str] = []
    block: list[str] = []
    for line in [*lines, ""]:
        if line:
            block.append(line)
        elif block:
            paragraphs.append(" ".join(block))
            block = []
    return paragraphs
