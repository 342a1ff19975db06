from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_instances import (
    CLS,
    CONTINUES,
    MASK,
    PAD,
    SEP,
    TOKENIZER,
    UNK,
    VOCABULARY,
    epoch_of,
    instances_of,
    rows_of,
    settings_of,
    texts,
)

from firth.bert.data import reference
from firth.bert.data.plan import Cursor
from firth.errors import DataError, IntegrityError

configurations = st.builds(
    settings_of,
    length=st.sampled_from([16, 17, 40, 100]),
    short=st.sampled_from([0.0, 0.3, 1.0]),
    next_sentence=st.booleans(),
    rate=st.sampled_from([0.01, 0.15, 0.6]),
    mask=st.sampled_from([0.0, 0.8]),
    random=st.sampled_from([0.0, 0.2]),
    whole_words=st.booleans(),
)


@given(documents=texts(), settings=configurations, seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 5))
def test_every_instance_is_that_of_the_plain_python_reference(documents, settings, seed, epoch):
    instances = instances_of(documents, settings, seed)
    rows = list(rows_of(instances.batch(epoch_of(instances, epoch))))
    labels = instances.batch(epoch_of(instances, epoch)).next_sentence_labels
    for index, row in enumerate(rows):
        short, is_random = settings.short_sequences, None
        if settings.next_sentence:
            a, b, is_random = reference.pair(documents, seed, epoch, index, settings.length, short)
            assert labels[index] == is_random
        else:
            a, b = reference.segment(documents, seed, epoch, index, settings.length, short), []
        assert row == reference.masked(
            a, b, (seed, epoch, index), settings.masking, VOCABULARY, TOKENIZER.special, CONTINUES, CLS, SEP, MASK
        )


@given(documents=texts(), settings=configurations, seed=st.integers(0, 100))
def test_rows_are_well_formed(documents, settings, seed):
    instances = instances_of(documents, settings, seed)
    for row in rows_of(instances.batch(epoch_of(instances))):
        restored = list(row.ids)
        for place, label in zip(row.predicted, row.masked_lm_labels, strict=True):
            restored[place] = label
        assert len(row.ids) <= settings.length
        assert restored[0] == CLS
        assert restored[-1] == SEP
        assert restored.count(SEP) == (2 if settings.next_sentence else 1)
        assert restored.count(CLS) == 1
        assert not {CLS, SEP, PAD, MASK} & set(row.masked_lm_labels)
        assert row.predicted == sorted(set(row.predicted))
        text = [token for token in restored if token > 4]
        assert (UNK in row.masked_lm_labels) <= (not text)
        assert row.predicted
        changed = {place for place, (a, b) in enumerate(zip(row.ids, restored, strict=True)) if a != b}
        assert changed <= set(row.predicted)
        assert all(row.ids[place] == MASK or row.ids[place] > 4 for place in changed)
        if settings.next_sentence:
            assert row.segments == sorted(row.segments)
            assert row.segments.index(1) == restored.index(SEP) + 1


@given(documents=texts(), settings=configurations, size=st.integers(1, 7), per_shard=st.integers(1, 9))
def test_an_instance_does_not_depend_on_its_company(documents, settings, size, per_shard):
    whole = instances_of(documents, settings)
    expected = list(rows_of(whole.batch(epoch_of(whole))))
    # Other shards, wider ids, single instances, any order, another epoch in between, batches that are sorted by length.
    other = instances_of(documents, settings, per_shard=per_shard, dtype=np.uint32)
    for index in reversed(range(len(expected))):
        other.plan(7)
        [row] = rows_of(other.batch(other.choose(0, np.array([index]))))
        assert row == expected[index]
    sorted_rows = [row for batch in whole.batches(epoch_of(whole), size) for row in rows_of(batch)]
    assert sorted(sorted_rows) == sorted(expected)
    lengths = [len(row.ids) for row in sorted_rows]
    assert size >= len(expected) or lengths == sorted(lengths, reverse=True)


def contents(chosen):
    return list(zip(chosen.epochs.tolist(), chosen.indexes.tolist(), map(tuple, chosen.spans.tolist()), strict=True))


@given(documents=texts(), settings=configurations, counts=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_a_cursor_goes_on_where_it_stopped(documents, settings, counts):
    instances, cursor, pieces = instances_of(documents, settings), Cursor(), []
    for count in counts:
        chosen, cursor = instances.following(cursor, count)
        assert len(chosen) == count
        pieces += list(
            zip(chosen.epochs.tolist(), chosen.indexes.tolist(), map(tuple, chosen.spans.tolist()), strict=True)
        )
    at_once, end = instances.following(Cursor(), sum(counts))
    assert end == cursor
    assert pieces == contents(at_once)
    for epoch, count in Counter(at_once.epochs.tolist()).items():
        assert count == len(instances.plan(epoch)) or epoch == cursor.epoch


@given(size=st.integers(1, 3000), key=st.integers(0, 2**64 - 1))
def test_the_order_of_an_epoch_is_a_permutation(size, key):
    from firth.bert.data.kernels import permuted

    found = [permuted(number, size, np.uint64(key)) for number in range(size)]
    assert sorted(found) == list(range(size))
    assert found[:3] == [reference.permuted(number, size, key) for number in range(min(3, size))]


def numbered(documents=300, seed=0):
    """Text in which a token's id tells nothing, but its place does: for looking at spans."""
    rng = np.random.default_rng(seed)
    return [
        [rng.integers(5, VOCABULARY, rng.integers(3, 25)).tolist() for _ in range(rng.integers(1, 25))]
        for _ in range(documents)
    ]


def test_without_next_sentences_every_token_is_in_an_epoch_exactly_once():
    instances = instances_of(numbered(), settings_of(length=64, next_sentence=False))
    for epoch in (0, 1):
        spans = epoch_of(instances, epoch).spans
        covered = np.concatenate([np.arange(start, start + count) for start, count, _, _ in spans.tolist()])
        assert np.array_equal(np.sort(covered), np.arange(instances.text.tokens))


def test_a_random_b_is_of_another_document_and_the_other_kind_follows():
    documents = numbered()
    instances = instances_of(documents, settings_of(length=64))
    text, chosen = instances.text, epoch_of(instances)
    starts = text.sentences[text.documents]

    def document(token):
        return np.searchsorted(starts, token, side="right") - 1

    a, b = document(chosen.spans[:, 0]), document(chosen.spans[:, 2])
    assert np.array_equal(a != b, chosen.labels == 1)
    following = chosen.labels == 0
    # Nothing is cut from between the two, unless A's end or B's beginning had to go.
    gap = chosen.spans[:, 2] - chosen.spans[:, 0] - chosen.spans[:, 1]
    assert np.all(gap[following] >= 0)
    assert (gap[following] == 0).mean() > 0.4
    assert np.all(chosen.spans[:, [1, 3]] > 0)
    reached = np.bincount(b[~following], minlength=len(documents)) > 0
    assert reached.mean() > 0.8


def test_sentences_left_over_by_a_random_b_begin_the_next_instance():
    """In a plan the chunks of a document go on where A, or all of the chunk, ended: no sentence is lost."""
    instances = instances_of(numbered(), settings_of(length=64))
    plan, text = instances.plan(0), instances.text
    used = plan.shapes[:, 0].astype(np.int64) + plan.shapes[:, 1]
    assert np.array_equal(plan.firsts[1:], (plan.firsts + used)[:-1])
    assert plan.firsts[0] == 0
    assert plan.firsts[-1] + used[-1] == text.documents[-1]


def test_half_of_the_chunks_that_can_be_pairs_are():
    documents = [[[7] * 10 for _ in range(200)] for _ in range(60)]
    labels = epoch_of(instances_of(documents, settings_of(length=64))).labels
    assert len(labels) > 2000
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(labels))


def test_half_of_all_pairs_are_random_though_single_sentences_always_are():
    documents = [[[7] * 30 for _ in range(1 + number % 4)] for number in range(3000)]
    labels = epoch_of(instances_of(documents, settings_of(length=64))).labels
    assert len(labels) > 3000
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(labels))


def test_short_targets_are_as_many_as_asked_for_and_of_any_length():
    documents = [[[7] * 5 for _ in range(400)] for _ in range(60)]
    plan = instances_of(documents, settings_of(length=64, short=0.3)).plan(0)
    short = plan.shapes[plan.shapes[:, 2] < 61, 2]
    share = 0.3 * 59 / 60
    assert abs(len(short) / len(plan) - share) < 4 * np.sqrt(share / len(plan))
    assert short.min() == 2
    assert short.max() == 60


def test_fifteen_percent_are_predicted_and_replaced_as_in_the_paper():
    documents = [[[7] * 20 for _ in range(100)] for _ in range(60)]
    instances = instances_of(documents, settings_of(length=128, short=0.0, next_sentence=False))
    batch = instances.batch(epoch_of(instances))
    count = len(batch.predicted)
    assert count > 15_000
    whole = instances.choose(0, np.flatnonzero(epoch_of(instances).spans[:, 1] == 126))
    assert len(instances.batch(whole).predicted) == len(whole) * round(0.15 * 126)
    now = batch.ids.flatten()[batch.predicted].numpy()
    for kept, share in ((now == MASK, 0.8), (now == 7, 0.1 + 0.1 / 55), (now > 4, 0.2)):
        assert abs(kept.mean() - share) < 4 * np.sqrt(share * (1 - share) / count)
    put_in = np.bincount(now[now > 4], minlength=VOCABULARY)[5:]
    assert np.all(np.delete(put_in, 2) > 0)
    positions = np.bincount(batch.predicted.numpy() % batch.ids.shape[1], minlength=128)[1:100]
    assert positions.std() < 4 * np.sqrt(positions.mean())


def test_whole_words_are_masked_whole():
    documents = numbered(60)
    instances = instances_of(documents, settings_of(length=64, whole_words=True))
    broken = 0
    for row in rows_of(instances.batch(epoch_of(instances))):
        restored = np.array(row.ids)
        restored[row.predicted] = row.masked_lm_labels
        chosen = np.zeros(len(restored), bool)
        chosen[row.predicted] = True
        inside = CONTINUES[restored[1:]] & (restored[:-1] > 4)
        broken += np.count_nonzero(chosen[1:][inside] != chosen[:-1][inside])
        assert len(row.predicted) <= max(1, round(0.15 * len(restored)))
    assert broken == 0


def test_another_epoch_and_another_seed_give_other_instances():
    documents, settings = numbered(20), settings_of()
    one, two = instances_of(documents, settings), instances_of(documents, settings, seed=2)

    def content(instances, epoch):
        return [tuple(row.ids) for row in rows_of(instances.batch(epoch_of(instances, epoch)))]

    first, second, other = content(one, 0), content(one, 1), content(two, 0)
    for different in (second, other):
        assert len(set(first) & set(different)) < 0.1 * len(first)


def test_padding_to_one_length_changes_nothing_else():
    instances = instances_of(numbered(30), settings_of(length=64))
    chosen = epoch_of(instances).take(np.arange(5))
    close, wide = instances.batch(chosen), instances.batch(chosen, 64)
    assert wide.ids.shape == (5, 64)
    assert list(rows_of(close)) == list(rows_of(wide))
    assert close.tokens == wide.tokens == sum(len(row.ids) for row in rows_of(close))


def test_no_mask_where_nothing_is_padded():
    documents = [[[7] * 100], [[8] * 100]]
    batch = (instances := instances_of(documents, settings_of(length=32))).batch(epoch_of(instances))
    assert batch.mask is None
    assert batch.ids.shape == (2, 32)


def test_one_document_is_enough_without_next_sentences_only():
    one = [[[7, 8, 9]]]
    with pytest.raises(DataError, match=r"one document only.*bert\.next_sentence"):
        instances_of(one, settings_of())
    [row] = rows_of((instances := instances_of(one, settings_of(next_sentence=False))).batch(epoch_of(instances)))
    assert len(row.ids) == 5
    assert len(row.predicted) == 1
    with pytest.raises(DataError, match="no text"):
        instances_of([], settings_of())


def test_two_documents_of_one_token():
    instances = instances_of([[[7]], [[8]]], settings_of())
    batch = instances.batch(epoch_of(instances))
    assert batch.ids.shape == (2, 5)
    assert batch.next_sentence_labels.tolist() == [1, 1]


def test_an_id_outside_the_vocabulary_is_refused():
    with pytest.raises(IntegrityError, match="60 pieces"):
        (instances := instances_of([[[7]], [[60]]], settings_of())).batch(epoch_of(instances))
