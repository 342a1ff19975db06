"""What the instances of a real text come to, counted: the rates of section 3.1 and of the original preparation."""

from collections import Counter

import fables
import numpy as np
import pytest

from firth.bert.data import kernels
from firth.bert.data.instances import Instances
from firth.bert.data.text import Text
from firth.config.bert import Bert, Masking, Tokenize
from firth.wordpiece.store import TokenStore, build_store

COPIES, EPOCHS = 30, 3
LENGTH = 64


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The fables many times over, each time a document of its own; some words are unknown to the vocabulary."""
    documents = [[sentence.replace("pitcher", "πίθος") for sentence in fable] for fable in fables.fables()]
    folder = tmp_path_factory.mktemp("pieces")
    build_store(documents * COPIES, [], fables.tokenizer(), Tokenize(shuffle=False), folder)
    return TokenStore.open(folder)


def instances_of(store, next_sentence=True, short=0.1, **masking):
    settings = Bert(
        size="tiny", positions=LENGTH, length=LENGTH, short_sequences=short, next_sentence=next_sentence,
        masking=Masking(**masking),
    )  # fmt: skip
    return Instances(Text.of(store.train), store.tokenizer, settings, settings.seed, next_sentence)


def epochs_of(instances):
    """(chosen, batch) of each epoch."""
    for epoch in range(EPOCHS):
        chosen = instances.choose(epoch, np.arange(len(instances.plan(epoch)), dtype=np.int64))
        yield chosen, instances.batch(chosen)


def close(count, total, share, sigmas=4.0):
    """Whether `count` of `total` can be chance under `share`."""
    return abs(count - share * total) < sigmas * np.sqrt(share * (1 - share) * total)


def restored(batch):
    """(rows, length) the tokens before masking; (rows, length) which are predicted; what stands there now."""
    now = batch.ids.numpy()
    chosen = np.zeros(now.size, bool)
    chosen[batch.predicted.numpy()] = True
    before = now.copy().reshape(-1)
    before[batch.predicted.numpy()] = batch.masked_lm_labels.numpy()
    return before.reshape(now.shape), chosen.reshape(now.shape), now


def test_the_counts_of_masking(store):
    """15%, rounded, of each instance's ordinary tokens; of these 80% [MASK], 10% another token, 10% as they were."""
    special = np.array(sorted(store.tokenizer.special))
    counts, put_in = Counter(), Counter()
    for _, batch in epochs_of(instances_of(store)):
        before, chosen, now = restored(batch)
        ordinary = ~np.isin(before, special)
        assert np.isin(store.tokenizer.unk, before)
        assert not np.any(chosen & ~ordinary), "a special token was chosen"
        wanted = np.maximum(1, np.floor(0.15 * ordinary.sum(axis=1) + 0.5))
        assert np.array_equal(chosen.sum(axis=1), wanted)
        assert np.array_equal(now[~chosen], before[~chosen])
        masked = chosen & (now == store.tokenizer.mask)
        replaced = chosen & ~masked & (now != before)
        assert not np.any(np.isin(now[replaced], special)), "a special token was put in"
        put_in.update(now[replaced].tolist())
        counts.update(
            instances=len(now), ordinary=int(ordinary.sum()), chosen=int(chosen.sum()), masked=int(masked.sum()),
            replaced=int(replaced.sum()), kept=int((chosen & (now == before)).sum()),
        )  # fmt: skip
    # A random token is now and then the one that stood there.
    pieces = len(store.tokenizer) - len(special)
    same = 0.1 / pieces
    assert counts["masked"] + counts["replaced"] + counts["kept"] == counts["chosen"]
    assert abs(counts["chosen"] - 0.15 * counts["ordinary"]) < 0.5 * counts["instances"]
    assert close(counts["chosen"], counts["ordinary"], 0.15)
    assert close(counts["masked"], counts["chosen"], 0.8)
    assert close(counts["replaced"], counts["chosen"], 0.1 - same)
    assert close(counts["kept"], counts["chosen"], 0.1 + same)
    # Every ordinary piece is put in, none more often than chance would.
    assert len(put_in) == pieces
    expected = counts["replaced"] / pieces
    assert max(put_in.values()) < expected + 6 * np.sqrt(expected)
    assert dict(counts) == COUNTED


COUNTED = {"instances": 2670, "ordinary": 149361, "chosen": 22147, "masked": 17715, "replaced": 2214, "kept": 2218}
"""The very numbers: another stream of chance, or another order of the draws, gives others."""


def test_every_place_of_an_instance_is_chosen_equally_often(store):
    chosen_at, ordinary_at = np.zeros(LENGTH), np.zeros(LENGTH)
    special = np.array(sorted(store.tokenizer.special))
    for _, batch in epochs_of(instances_of(store)):
        before, chosen, _ = restored(batch)
        chosen_at[: before.shape[1]] += chosen.sum(axis=0)
        ordinary_at[: before.shape[1]] += (~np.isin(before, special)).sum(axis=0)
    share = chosen_at.sum() / ordinary_at.sum()
    many = ordinary_at > 100
    assert many.sum() > LENGTH - 8
    assert all(close(c, n, share) for c, n in zip(chosen_at[many], ordinary_at[many], strict=True))


@pytest.mark.parametrize(
    ("rate", "mask", "random"), [(0.15, 1.0, 0.0), (0.3, 0.0, 0.0), (0.05, 0.5, 0.5), (0.8, 0.0, 1.0)]
)
def test_the_rates_are_parameters(store, rate, mask, random):
    chosen_count = masked = replaced = ordinary_count = 0
    special = np.array(sorted(store.tokenizer.special))
    for _, batch in epochs_of(instances_of(store, rate=rate, mask=mask, random=random)):
        before, chosen, now = restored(batch)
        ordinary = ~np.isin(before, special)
        assert np.array_equal(chosen.sum(axis=1), np.maximum(1, np.floor(rate * ordinary.sum(axis=1) + 0.5)))
        ordinary_count += ordinary.sum()
        chosen_count += chosen.sum()
        masked += (chosen & (now == store.tokenizer.mask)).sum()
        replaced += (chosen & (now != store.tokenizer.mask) & (now != before)).sum()
    assert close(masked, chosen_count, mask) or masked == mask * chosen_count
    other = random * (1 - 1 / (len(store.tokenizer) - len(special)))
    assert close(replaced, chosen_count, other) or replaced == other * chosen_count


def test_whole_words_are_chosen_whole_and_nearly_as_many_tokens(store):
    continues, special = np.asarray(store.tokenizer.continues), np.array(sorted(store.tokenizer.special))
    tokens = {}
    for whole in (False, True):
        broken = several = total = ordinary = 0
        for _, batch in epochs_of(instances_of(store, whole_words=whole)):
            before, chosen, _ = restored(batch)
            inside = continues[before[:, 1:]] & ~np.isin(before[:, :-1], special)
            broken += int((chosen[:, 1:] != chosen[:, :-1])[inside].sum())
            several += int((chosen[:, 1:] & inside).sum())
            total, ordinary = total + int(chosen.sum()), ordinary + int((~np.isin(before, special)).sum())
            assert not np.any(np.isin(before[chosen], special))
        tokens[whole] = total / ordinary
        assert (broken == 0) == whole
        assert several > 1000
    assert tokens[False] - 0.01 < tokens[True] <= tokens[False]


def test_half_of_the_pairs_follow_each_other_and_the_others_come_from_another_document(store):
    instances = instances_of(store)
    text = instances.text
    starts = text.sentences[text.documents]
    followed = random = 0
    reached = np.zeros(len(text))
    for chosen, batch in epochs_of(instances):
        assert np.array_equal(batch.next_sentence_labels.numpy(), chosen.labels)
        a, b = (np.searchsorted(starts, chosen.spans[:, side], side="right") - 1 for side in (0, 2))
        assert np.array_equal(a != b, chosen.labels == 1)
        random += int((chosen.labels == 1).sum())
        followed += int((chosen.labels == 0).sum())
        np.add.at(reached, b[chosen.labels == 1], 1)
        # B follows A: nothing lies between them but what was cut off.
        gap = chosen.spans[:, 2] - chosen.spans[:, 0] - chosen.spans[:, 1]
        uncut = chosen.spans[:, 1] + chosen.spans[:, 3] < instances.longest
        assert np.all(gap[(chosen.labels == 0) & uncut] == 0)
    assert close(random, random + followed, 0.5)
    assert close(int((reached > 0).sum()), len(text), 1 - np.exp(-random / len(text)), sigmas=6)
    assert reached.max() < random / len(text) + 6 * np.sqrt(random / len(text))


def test_tokens_are_cut_off_from_either_end_equally_often(store):
    """As long as there are too many, the longer side loses one, from its front or its end by a coin."""
    instances = instances_of(store, short=0.0)
    sentences, front, back, sides, cut_pairs = instances.text.sentences, 0, 0, Counter(), 0
    for chosen, _ in epochs_of(instances):
        plan = instances.plan(int(chosen.epochs[0]))
        for index, (a, a_tokens, b, b_tokens) in zip(chosen.indexes.tolist(), chosen.spans.tolist(), strict=True):
            chunk = kernels.permuted(index, len(plan), plan.order_key)
            first, of_a, of_b = int(plan.firsts[chunk]), int(plan.shapes[chunk, 0]), int(plan.shapes[chunk, 1])
            whole = [(int(sentences[first]), int(sentences[first + of_a]))]
            if of_b:  # where a random B ends before it is cut, its chunk does not say
                whole.append((int(sentences[first + of_a]), int(sentences[first + of_a + of_b])))
            lost = []
            for (start, stop), (at, tokens) in zip(whole, ((a, a_tokens), (b, b_tokens)), strict=False):
                assert start <= at < at + tokens <= stop
                front, back = front + at - start, back + stop - at - tokens
                lost.append(stop - start - tokens)
            if of_b and sum(lost):
                cut_pairs += 1
                assert a_tokens + b_tokens == instances.longest
                # Only the longer one loses tokens, until both are about as long: then they take turns.
                for which, (mine, other) in enumerate(((a_tokens, b_tokens), (b_tokens, a_tokens))):
                    assert lost[which] == 0 or mine >= other - 1
                sides.update(which for which in (0, 1) if lost[which])
    assert cut_pairs > 500
    assert min(sides[0], sides[1]) > 100
    assert close(front, front + back, 0.5)


def test_one_instance_in_ten_aims_at_a_shorter_length(store):
    for short in (0.0, 0.1, 1.0):
        instances = instances_of(store, short=short)
        targets = np.concatenate([instances.plan(epoch).shapes[:, 2] for epoch in range(EPOCHS)])
        longest = LENGTH - 3
        shorter = targets[targets < longest]
        possible = longest - 1  # 2 up to the longest itself
        share = short * (possible - 1) / possible
        assert close(len(shorter), len(targets), share) or len(shorter) == share * len(targets)
        assert targets.max() == longest
        if len(shorter):
            assert shorter.min() == 2
            spread = np.bincount(shorter, minlength=longest)[2:]
            assert spread.max() < spread.mean() + 6 * np.sqrt(spread.mean())
            assert abs(shorter.mean() - (longest + 1) / 2) < 4 * (longest - 2) / np.sqrt(12 * len(shorter))
