"""The compiled scanner finds the words that `split` finds, whatever the text."""

import sys
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firth.tokens import hashing
from firth.tokens.table import Codes, WordTable
from firth.tokens.words import split

TRICKY = (
    "aAzZ09'’_ \n\r\t.,:-\0\x0b\x1c\x85\u2028ßéÉ²½٣ⅣⒶΣσςΑİıKÅȺǅﬁ"
    "\u0301\u0307\u0345ः\u20dd中日𝔸𐐀𝟘\U000e0100\u200d\ufeff\u00ad\ud800\udfff"
)
sentences = st.lists(st.text(alphabet=st.one_of(st.sampled_from(TRICKY), st.characters()), max_size=30), max_size=5)


def scanned(text, lowercase, numbers, **options):
    lines = "".join(sentence.replace("\n", " ") + "\n" for sentence in text)
    return scan_text(lines.encode(errors="surrogatepass"), lowercase, numbers, **options)


class Scanned(NamedTuple):
    words: WordTable
    codes: Codes
    held: Codes


def scan_text(lines, *settings, **options):
    words = WordTable(0, 0)
    return Scanned(words, *words.scan(lines, *settings, **options))


def words_of(found, codes):
    names = found.words.names(range(found.words.size))
    return [names[code] for code in codes]


@given(sentences, st.booleans(), st.sampled_from(["keep", "digit"]))
@example(["ΟΔΥΣΣΕΥΣ", "ΑΣ'Σ Σ", "İSTANBUL’S", "ΑΣ\u0301 ΑΣ.Α ΑΣ:", "Σ_Σ"], True, "keep")
@example(["''a''b'c' 'd’e’", "'", "a'", "a'\n'b"], True, "keep")
@example(["x" * 7, "x" * 8, "x" * 9, "x" * 16 + " " + "x" * 17, "xxxxxxxxy"], True, "keep")
def test_it_finds_the_words_that_split_finds(text, lowercase, numbers):
    found = scanned(text, lowercase, numbers)
    expected = split(text, lowercase, numbers) if text else []
    assert words_of(found, found.codes) == expected
    assert found.words.counts.tolist() == np.bincount(found.codes, minlength=found.words.size).tolist()
    assert len(set(words_of(found, range(found.words.size)))) == found.words.size


@pytest.mark.slow
@pytest.mark.parametrize("lowercase", [True, False])
def test_every_character_of_unicode(lowercase):
    text = [f"b{chr(point)}B" for point in range(0, sys.maxunicode + 1)]
    found = scanned(text, lowercase, "digit")
    assert words_of(found, found.codes) == split(text, lowercase, "digit")


def test_text_that_does_not_end_with_its_line():
    found = scan_text(b"one two", True, "keep")
    assert words_of(found, found.codes) == ["one", "two"]


def test_torn_characters_stay_inside_the_text():
    for torn in (b"a\xe4\xb8", b"a\xf0\x9f\x98", b"\xff\xff", b"a\xc3", b"\xf7\xbf\xbf\xbf b"):
        found = scan_text(torn, False, "keep")
        assert found.words.size <= 3


def test_words_that_share_their_beginning_are_told_apart():
    text = [f"abcdefgh{n} abcdefghijklmnop{n}" for n in range(30_000)]
    found = scanned(text, True, "keep")
    assert found.words.distinct == 60_000
    assert words_of(found, found.codes[:6]) == [
        "abcdefgh0",
        "abcdefghijklmnop0",
        "\n",
        "abcdefgh1",
        "abcdefghijklmnop1",
        "\n",
    ]


def test_held_out_lines_are_a_share_and_not_counted():
    text = [f"line{n} common" for n in range(5000)]
    found = scanned(text, True, "keep", heldout=0.1, seed=3)
    assert 400 < np.count_nonzero(found.held == 0) < 600
    kept = words_of(found, found.codes)
    held = words_of(found, found.held)
    assert sorted(kept + held) == sorted(split(text, True, "keep"))
    common = found.words.names(range(found.words.size)).index("common")
    assert found.words.counts[common] == kept.count("common")
    # the same lines, however the text is cut
    second = scanned(text[2000:], True, "keep", first_line=2000, heldout=0.1, seed=3)
    assert words_of(second, second.held) == held[-len(second.held) :]
    assert words_of(scanned(text, True, "keep", heldout=0.1, seed=4), found.held[:0]) == []
    assert len(scanned(text, True, "keep", heldout=1.0).codes) == 0


@given(st.lists(sentences, max_size=5))
def test_a_table_goes_on_where_it_was_and_equals_merged_ones(parts):
    straight, merged = WordTable(0, 0), WordTable(0, 0)
    for part in parts:
        lines = "".join(sentence.replace("\n", " ") + "\n" for sentence in part).encode(errors="surrogatepass")
        codes, _ = straight.scan(lines, True, "keep")
        found = scan_text(lines, True, "keep")
        assert np.array_equal(codes, merged.add(found.words)[found.codes])
    everything = range(straight.size)
    assert straight.names(everything) == merged.names(everything)
    assert np.array_equal(straight.counts, merged.counts)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "cc", "abcdefgh", "abcdefghi", "é"]), max_size=20), max_size=6))
def test_merged_tables_hold_the_sum(parts):
    table = WordTable(1, 1)
    codes = []
    for part in parts:
        found = scanned([" ".join(part)], True, "keep")
        codes += table.add(found.words)[found.codes].tolist()
    names = table.names(range(table.size))
    expected = [word for part in parts for word in [*part, "\n"]]
    assert [names[code] for code in codes] == expected
    assert dict(zip(names, table.counts.tolist(), strict=True)) == {"\n": len(parts)} | {
        w: expected.count(w) for w in expected
    }


def test_dropping_keeps_the_others_where_they_can_be_found():
    found = scanned([" ".join(f"word{n}" for n in range(500) for _ in range(n % 4 + 1))], True, "keep")
    table = found.words
    before = table.names(range(table.size))
    counts = dict(zip(before, table.counts.tolist(), strict=True))
    renamed, words, occurrences = table.drop(3)
    assert (words, occurrences) == (250, 125 * (1 + 2))
    after = table.names(range(table.size))
    assert [before[i] for i in np.flatnonzero(renamed >= 0)] == after
    again = scanned(["word2 word3 word1 word0"], True, "keep")
    table.add(again.words)
    now = dict(zip(table.names(range(table.size)), table.counts.tolist(), strict=True))
    assert (now["word2"], now["word3"], now["word1"], now["word0"]) == (counts["word2"] + 1, counts["word3"] + 1, 1, 1)


def test_equal_hashes_are_not_taken_for_equal_words():
    """Words whose hashes are equal are too rare to be met: here the hash of one is handed in for others."""
    for held, others in {
        "abcdefgh": ["abcdefghi"],
        "abcdefghXYZ": ["abcdefghXYA", "abcdefghXY"],
        "ab": ["abc"],
    }.items():
        table = scan_text(held.encode() + b"\n", False, "keep").words
        value = np.uint64(hashing.hash_of(table.arena, 1, len(held)))
        start = np.uint64(table.entries[1, hashing.START])

        def find(word, value=value, start=start, table=table):
            letters = np.frombuffer(word.encode(), dtype=np.uint8)
            where = table.slots, np.uint64(table.used - 1), table.entries, table.arena
            return hashing.find(value, start, letters, 0, len(letters), *where)[0]

        assert find(held) == 1
        assert [find(other) for other in others] == [-1] * len(others)
