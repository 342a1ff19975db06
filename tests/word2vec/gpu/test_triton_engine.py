"""The GPU backend: plans, refusals, compilation for a GPU, and `triton_cases.py` in processes of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.config.word2vec import Word2Vec
from firth.errors import ConfigError
from firth.tokens.vocabulary import Vocabulary
from firth.training import splitmix
from firth.word2vec.engines import make_engine
from firth.word2vec.gpu import engine as triton_engine
from firth.word2vec.gpu.engine import PIECE, RING_FLOATS, Shape, TritonEngine, piece_of
from firth.word2vec.gpu.plan import Chances, Plan, draws
from firth.word2vec.sampling import FULL, AliasTable, keep_thresholds, noise_distribution

CASES = Path(__file__).with_name("triton_cases.py")
COUNTS = np.array([900, 300, 100, 50, 20, 10])
CPU = torch.device("cpu")

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


def run_cases(**variables):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(CASES)],
        env={**environment, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@needs_triton
@pytest.mark.slow
def test_kernels_do_the_steps_of_the_reference_under_the_interpreter():
    run_cases(TRITON_INTERPRET="1", OMP_NUM_THREADS="1")


@needs_triton
@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here")
def test_kernels_do_the_steps_of_the_reference_on_a_gpu():
    run_cases()


@needs_triton
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter does not compile")
@pytest.mark.parametrize(
    ("model", "dim", "window", "negatives"),
    [("skipgram", 100, 5, 5), ("cbow", 300, 5, 5), ("skipgram", 40, 100, 50), ("cbow", 1024, 5, 5)],
)
def test_kernels_compile_for_an_h100_where_there_is_none(tmp_path, monkeypatch, model, dim, window, negatives):
    from triton import compile as compile_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from firth.word2vec.gpu import kernels as triton_kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    shape = Shape.of(dim, window, negatives)
    kernel = triton_kernels.ring_kernel if shape.ring else triton_kernels.wide_kernel
    sizes = {
        "WINDOW": window, "NEGATIVES": negatives, "DIM": dim, "STRIDE": -(-dim // 16) * 16, "SLOTS": shape.slots,
        "COLUMNS": shape.columns, "WIDTH": shape.width, "SKIPGRAM": model == "skipgram", "LEARN": True,
    }  # fmt: skip
    integers, floats = ("words", "low", "high", "noise"), ("rates", "inputs", "outputs", "losses")
    signature = {
        **dict.fromkeys(integers, "*i32"), **dict.fromkeys(floats, "*fp32"),
        "count": "i32", "piece": "i32", **dict.fromkeys(sizes, "constexpr"),
    }  # fmt: skip
    constants = {(kernel.arg_names.index(name),): value for name, value in sizes.items()}
    compiled = compile_kernel(
        ASTSource(kernel, signature, constexprs=constants),
        target=GPUTarget("cuda", 90, 32), options={"num_warps": shape.warps},
    )  # fmt: skip
    assert compiled.asm["cubin"]
    assert compiled.metadata.shared <= 227 * 1024  # bytes that a program may have


def chances(sample=0.0):
    table = AliasTable.of(noise_distribution(COUNTS, 0.75))
    return Chances.of(keep_thresholds(COUNTS, sample), table, CPU), table


def plan_of(stream, sample=0.0, state=5, offset=0, window=3, negatives=4, seen=0, total=1 << 60):
    ids = torch.tensor(stream, dtype=torch.int32)
    return Plan.of(ids, chances(sample)[0], window, negatives, state, offset, 0.5, 0.01, seen, total)


@given(st.integers(0, splitmix.MASK), st.integers(0, 2**40))
def test_draws_are_splitmix64s_at_any_number(state, first):
    numbers = [first, first + 1, first + 7]
    expected = [splitmix.mix((state + splitmix.GOLDEN * number) & splitmix.MASK) for number in numbers]
    assert [bits & splitmix.MASK for bits in draws(state, torch.tensor(numbers)).tolist()] == expected


@settings(deadline=None)
@given(
    st.lists(st.integers(-1, 5), max_size=60), st.integers(0, splitmix.MASK), st.sampled_from([0.0, 0.02]),
    st.integers(1, 8),
)  # fmt: skip
def test_a_plan_holds_the_kept_words_and_contexts_within_their_sentence(stream, state, sample, window):
    plan = plan_of(stream, sample, state, window=window)
    keep, table = keep_thresholds(COUNTS, sample), chances(sample)[1]
    counter = state

    def draw():
        nonlocal counter
        counter = (counter + splitmix.GOLDEN) & splitmix.MASK
        return splitmix.mix(counter)

    centres, sentence = [], 0
    for word in stream:
        kept, reach, noise = draw() >> 32, 1 + (((draw() >> 32) * window) >> 32), [draw() for _ in range(4)]
        if word < 0:
            sentence += 1
        elif kept <= keep[word]:
            centres.append((word, reach, noise, sentence))
    assert plan.words.tolist() == [centre[0] for centre in centres]
    assert plan.read == sum(word >= 0 for word in stream)
    for c, (_, reach, noise, sentence) in enumerate(centres):
        low, high = int(plan.low[c]), int(plan.high[c])
        near = [p for p in range(max(0, c - reach), min(len(centres), c + reach + 1)) if centres[p][3] == sentence]
        assert list(range(low, high + 1)) == near
        slots = [((bits >> 32) * len(COUNTS)) >> 32 for bits in noise]
        kept = [(bits & FULL) <= table.thresholds[slot] for bits, slot in zip(noise, slots, strict=True)]
        assert plan.noise[c].tolist() == [
            slot if own else table.others[slot] for slot, own in zip(slots, kept, strict=True)
        ]
    assert plan.examples(skipgram=True) == int((plan.high - plan.low).sum())
    assert plan.examples(skipgram=False) == int((plan.high > plan.low).sum())


def test_a_plan_goes_on_where_the_part_before_it_ended():
    stream = [0, 1, 2, -1, 3, 0, 1, -1]
    whole, second = plan_of(stream), plan_of(stream[4:], offset=4)
    assert torch.equal(whole.noise[3:], second.noise)
    assert torch.equal(whole.high[3:] - 3, second.high)


def test_noise_is_drawn_in_slices_where_it_is_much(monkeypatch):
    at_once = plan_of([0, 1, 2, 3] * 30).noise
    monkeypatch.setattr("firth.word2vec.gpu.plan._DRAWS_AT_ONCE", 100)
    assert torch.equal(plan_of([0, 1, 2, 3] * 30).noise, at_once)


def test_noise_follows_the_distribution():
    plan = plan_of([0] * 20_000)
    found = np.bincount(plan.noise.ravel().numpy(), minlength=6) / plan.noise.numel()
    np.testing.assert_allclose(found, noise_distribution(COUNTS, 0.75), atol=0.005)


def test_the_rate_falls_with_each_word_to_its_floor():
    plan = plan_of([0, 1, -1, 2, 3], seen=6, total=9)
    np.testing.assert_allclose(plan.rates, [0.5 * 3 / 9, 0.5 * 2 / 9, 0.5 * 1 / 9, 0.5 * 0.01], rtol=1e-6)


def test_shapes_fit_on_a_chip_and_are_powers_of_two():
    for dim in (1, 16, 100, 300, 512, 1024, 4096):
        for window in (1, 5, 7, 8, 20, 100):
            for negatives in (1, 5, 15, 16, 50):
                shape = Shape.of(dim, window, negatives)
                for size in (shape.slots, shape.columns, shape.width, shape.warps):
                    assert size & (size - 1) == 0
                assert shape.slots > 2 * window
                assert shape.columns > negatives
                assert min(shape.slots, shape.columns, shape.width) >= 16
                assert 1 <= shape.warps <= 16
                assert not shape.ring or (
                    shape.width >= dim and (2 * shape.slots + shape.columns) * shape.width <= RING_FLOATS
                )
    assert Shape.of(100, 5, 5) == Shape(16, 16, 128, 4, True)
    assert not Shape.of(1024, 5, 5).ring


@pytest.mark.parametrize("centres", [1, 1000, 200_000])
@pytest.mark.parametrize("vocabulary", [2, 40, 5000, 1_000_000])
def test_few_words_are_worked_on_by_few_programs(centres, vocabulary):
    piece = piece_of(centres, vocabulary, 16)
    assert piece >= PIECE
    programs = -(-centres // piece)
    assert programs == 1 or programs * 16 <= vocabulary
    if vocabulary == 1_000_000:
        assert piece == PIECE


def make(monkeypatch, cuda=False):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    vocabulary = Vocabulary(("a", "b"), np.array([5, 5]))
    return make_engine("skipgram", vocabulary, Word2Vec(backend="triton", dim=16))


@needs_triton
def test_without_a_gpu_the_backend_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"backend = triton: needs an NVIDIA GPU.*finds no GPU"):
        make(monkeypatch)


def test_without_triton_the_backend_is_refused(monkeypatch):
    monkeypatch.setattr(triton_engine, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"backend = triton: needs .*triton is not installed"):
        make(monkeypatch, cuda=True)


@needs_triton
def test_the_variable_asks_for_the_interpreter(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    vocabulary = Vocabulary(("a", "b"), np.array([5, 5]))
    engine = make_engine("cbow", vocabulary, Word2Vec(backend="triton", dim=20))
    assert isinstance(engine, TritonEngine)
    assert engine.device.type == "cpu"
    assert {name: matrix.shape for name, matrix in engine.state.items()} == {"input": (2, 20), "output": (2, 20)}
