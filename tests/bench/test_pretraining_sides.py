"""What the benchmarks of BERT compare: the same text on both sides, counted alike."""

import argparse

import pytest
from bench.packing import Padded
from bench.pretraining import Ours, Speed, add_options, compared, counts_of, settings_of, speed_of, store_of
from fables import fable_store

from firth.bert.data.shares import Counts


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("fables") / "pieces")


def settings(**changes):
    return settings_of("tiny", "fp32", 1, 64).model_copy(update={"batch": 8, **changes})


def total(steps):
    return [sum(column) for column in zip(*(Counts.of(step.batches) for step in steps), strict=True)]


def test_a_peer_gets_the_instances_of_our_steps(store):
    ours = Ours(store, settings())
    padded = [counts_of(batch) for step in ours.padded(4, ours.rows(), 3) for batch in step]
    tokens, predictions, instances, computed, squares = total(ours.steps(4))
    theirs = [sum(column) for column in zip(*padded, strict=True)]
    assert theirs[:3] == [tokens, predictions, instances]
    assert theirs[4] == squares
    assert theirs[3] > computed > tokens  # rows are padded; packed ones have a few spare tokens


def test_packed_steps_have_as_many_tokens_as_the_rows_of_a_peers(store):
    ours = Ours(store, settings(packing=True))
    found, theirs = total(ours.steps(20)), [counts_of(b) for step in ours.padded(20, ours.rows()) for b in step]
    assert sum(one.tokens for one in theirs) == pytest.approx(found[0], rel=0.1)


def test_padded_rows_are_of_the_full_length_and_learn(store):
    ours = Ours(store, settings(packing=True))
    padded = Padded(ours)
    shapes = {(tuple(batch.ids.shape), len(batch.predicted)) for step in padded.batches for batch in step}
    assert len(shapes) == 1
    assert shapes.pop()[0] == (8, 64)
    assert 0.0 < padded.padding < 0.9
    batch = padded.batches[0][0]
    before = float(padded.loss(batch).detach())
    assert padded(8).tokens > 0
    assert float(padded.loss(batch).detach()) < before


def test_ratios_are_medians_of_neighbouring_runs(store):
    ours = Ours(store, settings())
    rounds = [
        (Speed(30.0, 3e9), Speed(10.0, 1e9)),
        (Speed(20.0, 2e9), Speed(10.0, 1e9)),
        (Speed(9.0, 9e8), Speed(1.0, 1e8)),
    ]
    tokens, mfu = compared("case", rounds, ours)
    assert tokens == {
        "case": "case", "metric": "tokens/s", "ours": 20, "peer": 10, "ratio": 3.0,
        "runs": [[30, 10], [20, 10], [9, 1]],
    }  # fmt: skip
    assert mfu["metric"] == "MFU"
    assert 0 < mfu["peer"] < mfu["ours"]


def test_speed_counts_useful_work_only(store):
    work = Ours(store, settings()).work
    counts = Counts(100, 15, 4, 5000, 2500)
    assert speed_of(work, [counts] * 3, 2.0) == Speed(150.0, 1.5 * work.training(counts))


def test_drawn_words_are_a_store_of_the_size_that_is_asked_for():
    parser = argparse.ArgumentParser()
    add_options(parser)
    with store_of(parser.parse_args(["--drawn", "--words", "4000", "--vocabulary", "300"])) as drawn:
        assert len(drawn.tokenizer) == 300
        assert drawn.train.tokens == 4000
        assert drawn.unigrams[drawn.tokenizer.unk] == 0
