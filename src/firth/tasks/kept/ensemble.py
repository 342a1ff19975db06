"""Several kept models that answer one question together: by the mean of their outputs.

They may have other encoders, tokenizers and lengths, so what is averaged are the outputs for what all of them speak of:
a record's labels, a number in its own measure, endings, words, and for spans stretches of the context's characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from firth.config.tasks import LONGEST_ANSWER
from firth.errors import FirthError
from firth.tasks.encoders.reading import Floats, Integers, Reading
from firth.tasks.encoders.windows import Scores, span_scores
from firth.tasks.kept.folder import Kept
from firth.tasks.usages.usage import Answer, Number, Record, Span, Tags, TextLabels, cut_out, scores_of, words_read

Output = tuple[Floats, Reading]
"""What one model says of the records, and how it read them."""


def check_together(models: Mapping[str, Kept]) -> None:
    """`FirthError` where models, by what a user calls them, do not answer the same question."""
    (name, first), *others = models.items()
    for other, kept in others:
        if kept.kind != first.kind:
            said = f"{other} is a {kept.kind} model, {name} a {first.kind} model"
        elif (theirs := labels_of(kept)) != (ours := labels_of(first)):
            said = f"{other} has the labels {', '.join(theirs)}, {name} has {', '.join(ours)}"
        else:
            continue
        raise FirthError(f"{said}: models answer together only where they answer the same question")


def labels_of(kept: Kept) -> list[str]:
    """The labels or tags of a model, sorted; of other kinds none."""
    return sorted(kept.usage.labels) if isinstance(kept.usage, TextLabels | Tags) else []


def answers(
    models: Sequence[Kept], records: Sequence[Record], best: int, seen: Callable[[Reading], None] | None = None
) -> list[Answer]:
    """As `Usage.answers` of the first model, with the mean outputs of all: `check_together` must have passed.

    `seen` is told how each model has read the records.
    """
    usage = models[0].usage
    outputs: list[Output] = []
    for kept in models:
        reading = kept.usage.read(kept.encoder, records)
        if seen is not None:
            seen(reading)
        outputs.append((kept.model.logits(reading), reading))
    if isinstance(usage, Span):
        found = _spans(outputs, records, max(1, best))
        return [one[0] | ({"best": one} if best else {}) for one in found]
    if isinstance(usage, Tags):
        return usage.answers(*_by_word(models, outputs), records, best)
    alike = [_as_the_first(models[0], kept, logits) for kept, (logits, _) in zip(models, outputs, strict=True)]
    return usage.answers(_mean(alike), outputs[0][1], records, best)


def _as_the_first(first: Kept, kept: Kept, logits: Floats) -> Floats:
    """Outputs in the order of the first model's labels, or in the measure of its numbers."""
    ours, theirs = first.usage, kept.usage
    if isinstance(ours, TextLabels | Tags) and isinstance(theirs, TextLabels | Tags):
        return logits[:, [list(theirs.labels).index(label) for label in ours.labels]]
    if isinstance(ours, Number) and isinstance(theirs, Number):
        numbers = logits.astype(np.float64) * theirs.deviation + theirs.mean
        measured: Floats = ((numbers - ours.mean) / ours.deviation).astype(np.float32)
        return measured
    return logits


def _mean(outputs: Sequence[Floats]) -> Floats:
    mean: Floats = np.mean([one.astype(np.float64) for one in outputs], axis=0).astype(np.float32)
    return mean


def _by_word(models: Sequence[Kept], outputs: Sequence[Output]) -> Output:
    """One row a word, as far as any model reads its sentence: the mean of those that read the word."""
    counts = [words_read(reading) for _, reading in outputs]
    longest: Integers = np.max(counts, axis=0)
    starts = np.cumsum(longest) - longest
    sums = np.zeros((int(longest.sum()), len(labels_of(models[0]))), np.float64)
    times = np.zeros((len(sums), 1), np.int64)
    for kept, (logits, reading), read in zip(models, outputs, counts, strict=True):
        words = logits if reading.firsts is None else logits[reading.firsts]
        within = np.arange(len(words)) - np.repeat(np.cumsum(read) - read, read)
        rows = np.repeat(starts, read) + within
        sums[rows] += _as_the_first(models[0], kept, words)
        times[rows] += 1
    mean: Floats = (sums / times).astype(np.float32)
    return mean, Reading([], longest)


def _spans(outputs: Sequence[Output], records: Sequence[Record], count: int) -> list[list[Answer]]:
    """The best stretches of those that all models could answer with, by the mean of their scores."""
    each = [scores_of(logits, reading) for logits, reading in outputs]
    found = []
    for record, *read in zip(records, *each, strict=True):
        candidates = [_candidates(spans, scores) for spans, scores in read]
        shared = reduce(np.intersect1d, [keys for keys, _ in candidates])
        mean = np.mean([scores[np.searchsorted(keys, shared)] for keys, scores in candidates], axis=0)
        order = np.argsort(-mean, kind="stable")[:count]
        places = [(int(shared[place]) >> 32, int(shared[place]) & 0xFFFFFFFF, mean[place]) for place in order]
        found.append(cut_out(record, places))
    return found


def _candidates(spans: Integers, scores: Sequence[Scores]) -> tuple[Integers, NDArray[np.float64]]:
    """The stretches that a model could answer with, as start << 32 | end, ascending, and the score of each."""
    if not len(spans):
        return np.zeros(0, np.int64), np.zeros(0, np.float64)
    table = span_scores(scores, LONGEST_ANSWER).astype(np.float64)
    first, further = np.nonzero(table > -np.inf)
    values = table[first, further]
    order = np.argsort(-values, kind="stable")  # several pieces may stand for the same characters: the best counts
    keys, places = np.unique((spans[first, 0] << 32 | spans[first + further, 1])[order], return_index=True)
    return keys, values[order][places]
