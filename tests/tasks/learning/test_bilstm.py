"""A BiLSTM on the tokens of a sequence: it sees order and distance, and padding changes nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from usage_examples import bert, draw, examples_of, vectors

from firth.canonical import dumps
from firth.config.usages import BiLSTM as Settings
from firth.config.usages import Evaluation, Head
from firth.errors import FirthError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Around
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.score import Scored, score_task
from firth.tasks.learning import joint, tokens
from firth.tasks.learning.bilstm import BiLSTM, train_bilstm
from firth.tasks.learning.table import Table
from firth.tasks.learning.tokens import ContextualTokens, StaticTokens
from firth.tasks.usages.problems import problem_of

SMALL = Settings(hidden=24, layers=1, dropout=0.1, learning_rate=0.01, epochs=8, batch=16)
BOTH = Evaluation(heads=["linear", "bilstm"], bilstm=SMALL, head=Head(epochs=30), bootstrap=200, threads=1, seeds=[1])
STATIC = Source("vectors", lambda: StaticEncoder(vectors()))
CONTEXTUAL = Source("a model", lambda: BertEncoder(bert()))
KINDS = ["text", "pair", "span", "tagging", "number", "choice"]


def orders(count: int, seed: int) -> list[dict[str, Any]]:
    """Which of two words comes first, with others around: the same words under both labels."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        label = chance.choice(["before", "behind"])
        first, second = ("warm", "dull") if label == "before" else ("dull", "warm")
        some = [" ".join(chance.choices(["the", "film", "was", "story"], k=chance.randrange(3))) for _ in range(3)]
        made.append({"id": str(number), "text": f"{some[0]} {first} {some[1]} {second} {some[2]}", "label": label})
    return made


def scores(scored: Scored) -> dict[str, float]:
    return {system["system"]: system["score"] for system in scored.results["systems"]}


def score(folder: Path, kind: str, settings: Evaluation = BOTH, sides: tuple[int, int] = (90, 50)) -> Scored:
    examples = examples_of(folder, kind, draw(kind, sides[0], 1), draw(kind, sides[1], 2))
    return score_task(examples, {"vectors": STATIC, "model": CONTEXTUAL}, settings)


@pytest.mark.slow
def test_order_is_seen_where_a_mean_is_blind(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", orders(200, 1), orders(100, 2))
    found = scores(score_task(examples, {"vectors": STATIC}, BOTH))
    assert found["vectors"] < 0.65, "both labels have the same words"
    assert found["vectors-bilstm"] > 0.95


@pytest.mark.slow
def test_a_tag_may_depend_on_a_word_two_places_away(tmp_path: Path) -> None:
    chance = random.Random(3)

    def sentence(number: int) -> dict[str, Any]:
        words = chance.choices(["film", "warm", "dull", "story"], k=chance.randrange(4, 12))
        tags = ["B-X" if words[n + 2 : n + 3] == ["warm"] else "O" for n in range(len(words))]
        return {"id": str(number), "tokens": words, "tags": tags}

    examples = examples_of(tmp_path, "tagging", [sentence(n) for n in range(150)], [sentence(n) for n in range(60)])
    longer = BOTH.model_copy(update={"bilstm": SMALL.model_copy(update={"epochs": 20, "dropout": 0.0})})
    found = scores(score_task(examples, {"vectors": STATIC}, longer))
    assert found["vectors"] < 0.6, "it sees the word beside, not the one behind that"
    assert found["vectors-bilstm"] > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_found_under_both_encoders(tmp_path: Path, kind: str) -> None:
    systems = score(tmp_path, kind).results["systems"]
    assert [system["system"] for system in systems] == ["vectors", "vectors-bilstm", "model", "model-bilstm"]
    assert [system["label"] for system in systems] == ["vectors", "vectors, BiLSTM", "a model", "a model, BiLSTM"]
    for system in systems[1::2]:
        assert system["score"] > 0.75, system["system"]
        assert system["mode"] == "frozen"
        assert not system["runs"][0]["collapsed"]


@pytest.mark.slow
def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    asked = BOTH.model_copy(update={"modes": ["finetuned", "frozen"], "seeds": [1, 2], "heads": ["bilstm"]})
    asked = asked.model_copy(update={"bilstm": SMALL.model_copy(update={"epochs": 2})})
    first, second = (score(tmp_path, "pair", asked, (40, 20)) for _ in range(2))
    assert dumps(first.results) == dumps(second.results)
    assert first.predictions == second.predictions
    names = ["vectors-finetuned-bilstm", "vectors-bilstm", "model-bilstm"]
    assert [system["system"] for system in first.results["systems"]] == names, "a BERT is fine-tuned under linear heads"


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, "text", draw("text", 40, 1), draw("text", 20, 2))
    problem, encoder = problem_of(examples), StaticEncoder(vectors())
    train = problem.read(encoder, examples.train)
    read = StaticTokens(encoder, train, Table.of(encoder, train.inputs, trained=False))
    before = torch.get_rng_state()
    one, again, other = (
        train_bilstm(read, problem.targets(train), SMALL, seed).logits(read).tobytes() for seed in (1, 1, 2)
    )
    assert one == again != other
    assert torch.equal(torch.get_rng_state(), before), "torch's own generator is left as it was"


@pytest.mark.parametrize("layers", [1, 2])
def test_states_of_a_padded_batch_are_those_of_torch_one_by_one(layers: int) -> None:
    torch.manual_seed(5)
    lengths, width, hidden = [3, 7, 1, 5], 6, 4
    ours = BiLSTM(width, hidden, layers, 0.5).eval()
    theirs = torch.nn.LSTM(width, hidden, layers, bidirectional=True, batch_first=True)
    weights = {}
    for number in range(layers):
        for name, side in (("", ours.forwards), ("_reverse", ours.backwards)):
            for key, value in side[number].state_dict().items():
                weights[f"{key.removesuffix('0')}{number}{name}"] = value
    theirs.load_state_dict(weights)
    tokens_ = torch.randn(sum(lengths), width)
    with torch.inference_mode():
        found = ours(tokens_, lengths).split(lengths)
        for part, states in zip(tokens_.split(lengths), found, strict=True):
            torch.testing.assert_close(states, theirs(part[None])[0][0], atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(states, ours(part, [len(part)]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoder", [StaticEncoder(vectors()), BertEncoder(bert())], ids=["vectors", "bert"])
def test_what_else_is_in_a_batch_changes_nothing(
    tmp_path: Path, kind: str, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = examples_of(tmp_path, kind, draw(kind, 30, 1), draw(kind, 10, 2))
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    read: Any
    if isinstance(encoder, StaticEncoder):
        read = StaticTokens(encoder, train, Table.of(encoder, train.inputs, trained=False))
    else:
        read = ContextualTokens(encoder, train)
    network = train_bilstm(read, problem.targets(train), SMALL.model_copy(update={"epochs": 1}), 1)
    together = network.logits(read)
    assert together.shape[0] == int(train.counts.sum())
    monkeypatch.setattr(joint, "AT_ONCE", 1)
    np.testing.assert_allclose(network.logits(read), together, atol=1e-5)


def test_hidden_states_that_are_too_many_to_keep_are_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = BertEncoder(bert(layers=4), layers="concat4")
    for kind in ("choice", "tagging"):
        examples = examples_of(tmp_path / kind, kind, draw(kind, 30, 1), draw(kind, 10, 2))
        problem = problem_of(examples)
        train, dev = problem.read(encoder, examples.train), problem.read(encoder, examples.dev)
        monkeypatch.setattr(tokens, "MOST_KEPT", 2**30)
        kept = ContextualTokens(encoder, train)
        monkeypatch.setattr(tokens, "MOST_KEPT", 1000)
        unkept = ContextualTokens(encoder, dev, like=kept)
        monkeypatch.setattr(tokens, "MOST_KEPT", 2**30)
        states, layout = ContextualTokens(encoder, dev, like=kept).read([4, 1])
        found, same = unkept.read([4, 1])
        assert same == layout
        assert states.shape == (sum(layout.lengths), 4 * 32)
        torch.testing.assert_close(found, states, atol=1e-4, rtol=1e-4)
    monkeypatch.setattr(tokens, "MOST_KEPT", int(unkept.sizes.sum()) * 4 * 32 * 4 - 1)
    sampled, _ = ContextualTokens(encoder, dev).read(range(10))
    assert float(sampled.mean().abs()) < 0.2, "moments of a part of the inputs are near those of all"
    assert float(sampled.std()) == pytest.approx(1.0, abs=0.2)


def test_text_without_words_and_words_of_a_document_around() -> None:
    encoder = StaticEncoder(vectors())
    texts = encoder.texts(["", "warm film", "\u200b"], 8)
    found, layout = StaticTokens(encoder, texts, Table.of(encoder, texts.inputs, trained=False)).read([0, 1, 2])
    assert list(layout.lengths) == [1, 2, 1]
    assert not found[0].any()
    assert not found[3].any()
    around = [Around(["the", "dull"], ["story", "was"]), Around((), ["dull"])]
    sentences = encoder.words([["warm", "zzz", "film-cast"], []], 8, around)
    found, layout = StaticTokens(encoder, sentences, Table.of(encoder, sentences.inputs, trained=False)).read([0, 1])
    assert (list(layout.lengths), list(layout.picked)) == ([5, 1], [1, 2, 3]), "words around are read and have no rows"
    assert not found[2].any(), "a word without a vector is the mean of all"
    nothing = encoder.spans(["who"], ["\u200b"], 8)
    _, layout = StaticTokens(encoder, nothing, Table.of(encoder, nothing.inputs, trained=False)).read([0])
    assert (list(layout.lengths), list(layout.picked)) == ([1], [])


def test_a_question_changes_what_is_read_of_a_context() -> None:
    encoder = StaticEncoder(vectors())
    reading = encoder.spans(["who left", "where did it go"], ["Anna left Leeds"] * 2, 8)
    read = StaticTokens(encoder, reading, Table.of(encoder, reading.inputs, trained=False))
    found, _ = read.read([0, 1])
    assert found.shape == (6, read.width) == (6, 2 * encoder.width)
    one, other = found.split(3)
    assert torch.equal(one[:, : encoder.width], other[:, : encoder.width])
    assert not torch.equal(one[:, encoder.width :], other[:, encoder.width :])


def test_a_training_that_diverges_is_said(tmp_path: Path) -> None:
    empty = vectors()
    empty.matrix[:] = np.nan
    examples = examples_of(tmp_path, "text", draw("text", 40, 1), draw("text", 20, 2))
    message = r"v: BiLSTM diverged at step 1: the loss is nan; lower evaluation\.bilstm\.learning_rate \(now 0\.01\)"
    with pytest.raises(FirthError, match=message):
        score_task(
            examples, {"v": Source("v", lambda: StaticEncoder(empty))}, BOTH.model_copy(update={"heads": ["bilstm"]})
        )
