"""Instances in plain Python, to be read first and compared with: what `kernels` compiles, token for token."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from firth.bert.data.kernels import ROUNDS
from firth.bert.data.plan import FULL, MASK, ORDER, PAIR, PLAN
from firth.config.bert import Masking
from firth.training.splitmix import GOLDEN, mix, stream_start
from firth.training.splitmix import MASK as WORD

Document = Sequence[Sequence[int]]
"""Sentences of ids."""


class Instance(NamedTuple):
    """One row, without padding."""

    ids: list[int]
    segments: list[int]
    predicted: list[int]
    masked_lm_labels: list[int]


class Chance:
    """Draws under one key."""

    def __init__(self, *key: int) -> None:
        self.state = stream_start(*key)

    def bits(self) -> int:
        """64 random bits."""
        self.state = (self.state + GOLDEN) & WORD
        return mix(self.state)

    def below(self, limit: int) -> int:
        """0 to `limit` − 1."""
        return ((self.bits() >> 32) * limit) >> 32

    def coin(self) -> bool:
        """Heads or tails."""
        return bool(self.bits() & 1)


def permuted(number: int, size: int, key: int) -> int:
    """Where `number` of `size` goes in the order of `key`."""
    half = 1
    while 1 << (2 * half) < size:
        half += 1
    low = (1 << half) - 1
    while True:
        left, right = number >> half, number & low
        for step in range(ROUNDS):
            left, right = right, left ^ (mix((mix((key + step) & WORD) + right) & WORD) & low)
        number = left << half | right
        if number < size:
            return number


def target_length(chance: Chance, longest: int, short: float) -> int:
    """`longest`, or with probability `short` anything from 2 on."""
    return longest if chance.bits() >> 32 >= round(short * FULL) else 2 + chance.below(longest - 1)


def chunks(documents: Sequence[Document], seed: int, epoch: int, longest: int, short: float) -> Iterator[list[int]]:
    """(document, first sentence, sentences of A, of B or 0 for a random one, target)."""
    forced = 0
    for number, document in enumerate(documents):
        chance, first = Chance(seed, PLAN, epoch, number), 0
        while first < len(document):
            target = target_length(chance, longest, short)
            stop = first + 1
            while stop < len(document) and sum(map(len, document[first:stop])) < target:
                stop += 1
            split, is_random = 1, True
            if stop - first > 1:
                split = 1 + chance.below(stop - first - 1)
                is_random = chance.coin()
                if is_random and forced > 1:
                    is_random, forced = False, forced - 2
            else:
                forced += 1
            yield [number, first, split, 0 if is_random else stop - first - split, target]
            first = first + split if is_random else stop


def pair(
    documents: Sequence[Document], seed: int, epoch: int, index: int, length: int, short: float
) -> tuple[list[int], list[int], int]:
    """A, B and whether B is random, of instance `index`."""
    longest = length - 3
    plan = list(chunks(documents, seed, epoch, longest, short))
    own, first, split, follows, target = plan[permuted(index, len(plan), stream_start(seed, ORDER, epoch))]
    chance = Chance(seed, PAIR, epoch, index)
    a = [token for sentence in documents[own][first : first + split] for token in sentence]
    b: list[int] = []
    if follows:
        b = [token for sentence in documents[own][first + split : first + split + follows] for token in sentence]
    else:
        other = chance.below(len(documents) - 1)
        other += other >= own
        wanted = target - len(a)
        for sentence in documents[other][chance.below(len(documents[other])) :]:
            if b and len(b) >= wanted:
                break
            b += sentence
    while len(a) + len(b) > longest:
        longer = a if len(a) > len(b) else b
        del longer[0 if chance.coin() else -1]
    return a, b, int(not follows)


def segment(documents: Sequence[Document], seed: int, epoch: int, index: int, length: int, short: float) -> list[int]:
    """The one segment of instance `index`, without next-sentence prediction."""
    stretches = []
    for number, document in enumerate(documents):
        chance = Chance(seed, PLAN, epoch, number)
        tokens = [token for sentence in document for token in sentence]
        while tokens:
            target = target_length(chance, length - 2, short)
            stretches.append(tokens[:target])
            tokens = tokens[target:]
    return stretches[permuted(index, len(stretches), stream_start(seed, ORDER, epoch))]


def candidates(ids: list[int], a: int, special: Collection[int]) -> list[int]:
    """Places that may be predicted, where A has `a` tokens: special ones in the text only if there are no others."""
    text = [place for place in range(1, len(ids) - 1) if place != a + 1]
    return [place for place in text if ids[place] not in special] or text


def masked(
    a: list[int], b: list[int], key: tuple[int, int, int], masking: Masking, vocabulary: int, special: Collection[int],
    continues: Sequence[bool], cls: int, sep: int, mask: int,
) -> Instance:  # fmt: skip
    """[CLS] A [SEP] (B [SEP]) with words masked; `key` is (seed, epoch, index)."""
    ids = [cls, *a, sep, *([*b, sep] if b else [])]
    places = candidates(ids, len(a), special)
    words: list[list[int]] = []
    for place in places:
        if masking.whole_words and words and words[-1][-1] == place - 1 and continues[ids[place]]:
            words[-1].append(place)
        else:
            words.append([place])
    seed, epoch, index = key
    chance = Chance(seed, MASK, epoch, index)
    wanted = max(1, int(masking.rate * len(places) + 0.5))
    chosen: list[int] = []
    for k in range(len(words)):
        if len(chosen) == wanted:
            break
        other = k + chance.below(len(words) - k)
        words[k], words[other] = words[other], words[k]
        if len(chosen) + len(words[k]) <= wanted:
            chosen += words[k]
    chosen = sorted(chosen or words[0])
    labels = [ids[place] for place in chosen]
    ordinary = [number for number in range(vocabulary) if number not in special]
    for place in chosen:
        draw = chance.bits() >> 32
        if draw < round(masking.mask * FULL):
            ids[place] = mask
        elif draw < round(masking.mask * FULL) + round(masking.random * FULL):
            ids[place] = ordinary[chance.below(len(ordinary))]
    return Instance(ids, [0] * (len(a) + 2) + [1] * (bool(b) * (len(b) + 1)), chosen, labels)


def left_to_right(a: list[int], b: list[int], special: Collection[int], cls: int, sep: int) -> Instance:
    """[CLS] A [SEP] (B [SEP]) as it is; each token that may be predicted is, from where the one before it stands."""
    ids = [cls, *a, sep, *([*b, sep] if b else [])]
    places = candidates(ids, len(a), special)
    segments = [0] * (len(a) + 2) + [1] * (bool(b) * (len(b) + 1))
    return Instance(ids, segments, [place - 1 for place in places], [ids[place] for place in places])
