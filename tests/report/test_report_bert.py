"""BERT's half of the page: chance, the most decided head, senses, worked answers, and what the page says of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firth.bert.pretraining.evaluation import unigram_losses
from firth.canonical import read_json, write_json
from firth.config import load_params
from firth.report.collect import collect
from firth.report.inputs import read_inputs
from firth.report.page import render
from firth.report.pretraining import chance
from firth.report.reading import most_decided
from firth.report.senses import around, groupings, plane, separation
from firth.report.tasks import EXCERPT, worked
from firth.wordpiece.store import TokenStore


def draw(root: Path) -> str:
    params = load_params(root / "params.yaml")
    report = collect(read_inputs(root / "data", list(params.tasks)), params)
    return render(json.loads(json.dumps(report)), data="..")


def after(page: str, name: str) -> str:
    """The text of one section, without tags."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.S)
    assert found, name
    blocks = re.sub(r"</?(?:strong|span)\b[^>]*>", "", found[0])
    return " ".join(re.sub(r"<[^>]+>", " ", blocks).replace("\u00a0", " ").split())


def edit_results(root: Path, task: str, **changes: object) -> None:
    path = root / "data" / "tasks" / task / "results.json"
    write_json(path, read_json(path) | changes)


def test_the_chance_interval_is_the_binomial_one() -> None:
    assert chance(512) == (0.457, 0.543)
    assert chance(16) == (0.25, 0.75)


@given(st.integers(16, 3000))
def test_chance_holds_a_half_and_95_of_100_coins(instances: int) -> None:
    low, high = (round(end * instances) for end in chance(instances))
    assert low <= instances / 2 <= high
    inside = sum(math.comb(instances, k) for k in range(low, high + 1)) / 2**instances
    narrower = sum(math.comb(instances, k) for k in range(low + 1, high)) / 2**instances
    assert narrower < 0.95 <= inside


def test_the_most_decided_head_is_the_one_with_the_sharpest_rows() -> None:
    weights = np.full((3, 4, 5, 5), 0.2)
    weights[1, 2] = np.eye(5) * 0.8 + 0.04
    weights[2, 0, 0] = np.eye(5)[0]  # one sharp row does not make a head
    assert most_decided(weights) == (1, 2)


def clusters(spread: float) -> np.ndarray:
    generator = np.random.default_rng(3)
    centres = np.repeat(generator.normal(size=(2, 32)), 4, axis=0)
    return centres + spread * generator.normal(size=(8, 32))


def test_senses_that_lie_apart_are_told_from_those_that_do_not() -> None:
    groups = [0, 0, 0, 0, 1, 1, 1, 1]
    apart = separation(clusters(0.3), groups, seed=1)
    assert (apart["as_good"], apart["tried"], apart["groupings"], apart["separates"]) == (1, 35, 35, True)
    assert apart["within"] > apart["across"] + 0.3
    mixed = separation(clusters(0.3), [0, 1, 0, 1, 0, 1, 0, 1], seed=1)
    assert mixed["separates"] is False
    assert mixed["as_good"] > 10
    same = separation(np.ones((8, 4)), groups, seed=1)
    assert (same["within"], same["across"], same["separates"]) == (1.0, 1.0, False)


def test_too_few_sentences_are_no_evidence() -> None:
    few = separation(clusters(0.1)[[0, 1, 2, 4, 5, 6]], [0, 0, 0, 1, 1, 1], seed=1)
    assert (few["as_good"], few["groupings"], few["separates"]) == (1, 10, None)
    single = separation(clusters(0.1)[[0, 4]], [0, 1], seed=1)
    assert (single["within"], single["as_good"], single["separates"]) == (None, None, None)


def test_many_sentences_are_shuffled_instead_of_tried_all() -> None:
    twins = np.repeat(np.random.default_rng(0).normal(size=(9, 8)), 2, axis=0)  # like ones side by side
    mixed = separation(twins, [i % 3 for i in range(18)], seed=1)
    assert mixed["groupings"] > mixed["tried"] == 5000
    assert mixed["separates"] is False
    assert mixed == separation(twins, [i % 3 for i in range(18)], seed=1)
    apart = separation(np.repeat(twins[:6:2], 6, axis=0), [i // 6 for i in range(18)], seed=1)
    assert (apart["as_good"], apart["separates"]) == (1, True)


@pytest.mark.parametrize(
    ("groups", "ways"), [([0, 0, 1, 1], 3), ([0, 0, 0, 1], 4), ([0, 1, 2], 1), ([0, 0, 1, 1, 2, 2], 15)]
)
def test_groupings_have_no_names(groups: list[int], ways: int) -> None:
    assert groupings(groups) == ways
    assert separation(np.eye(len(groups)) + 0.1, groups, seed=1)["tried"] in (ways, None)


@given(st.integers(0, 10_000), st.integers(3, 9))
def test_the_plane_does_not_hang_on_the_axes_of_the_space(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(count, 12)) * np.geomspace(8, 0.1, 12)
    turn, _ = np.linalg.qr(generator.normal(size=(12, 12)))
    first, kept = plane(vectors)
    second, again = plane(vectors @ turn)
    assert np.allclose(first, second, atol=2e-3)
    assert abs(kept - again) < 2e-3
    assert np.abs(first).max() == 1.0


def test_a_point_is_labelled_by_the_words_around_it() -> None:
    assert around("they walked along the Bank of the river .", "bank") == "along the … of the"
    assert around("bank !", "bank") == "…"


def example(name: str, label: str) -> dict[str, str]:
    return {"id": name, "text": f"some words of a review, number {name}", "label": label}


def test_worked_answers_show_right_and_wrong_ones() -> None:
    dev = {f"{i:02d}": example(f"{i:02d}", "good") for i in range(20)}
    for wrong in (1, 10, 19):
        answers = [{"id": name, "predicted": "bad" if int(name) < wrong else "good"} for name in dev]
        found = worked("text", dev, answers)
        assert [entry["right"] for entry in found] == ([True, True, False] if wrong <= 10 else [True, False, False])
    only = worked("text", dev, [{"id": name, "predicted": "good"} for name in dev])
    assert [entry["right"] for entry in only] == [True, True, True]
    assert worked("text", dev, [{"id": "gone", "predicted": "good"}]) == []


def test_the_excerpt_of_a_long_context_holds_the_answer() -> None:
    context = "nothing to see here. " * 80 + "the answer is 42 indeed. " + "and more of it. " * 80
    row = {"id": "a", "context": context, "question": "what", "answers": [{"text": "42", "start": context.index("42")}]}
    (found,) = worked("span", {"a": row}, [{"id": "a", "predicted": "The 42."}])
    assert found["right"]
    shown = found["given"][1]["text"]
    assert "the answer is 42" in shown
    assert len(shown) < EXCERPT + 20
    assert shown.startswith("… ") and shown.endswith(" …")


def test_names_are_compared_as_wholes() -> None:
    row = {"id": "a", "tokens": ["New", "York", "won"], "tags": ["B-LOC", "I-LOC", "O"]}
    (found,) = worked("tagging", {"a": row}, [{"id": "a", "predicted": ["B-LOC", "O", "O"]}])
    assert (found["right"], found["predicted"], found["expected"]) == (False, "New (LOC)", "New York (LOC)")


def test_ties_modes_and_the_line_to_beat_are_said(build: Callable[..., Path]) -> None:
    page = draw(build())
    said = after(page, "tasks")
    assert said.count("≈ majority; one answer to all") == 4
    assert "BERT, untrained frozen 52.0 % 48.0 % to 56.0 % median of 2 seeds 52.0 %, 51.0 %" in said
    assert "59.0 % to 67.0 % median of 2 seeds; 1 of 2 collapsed 63.0 %" in said
    assert said.count("Protocol sane: one setting, the median of the seeds.") == 4
    assert "BERT, fine-tuned fine-tuned 63.0 %" in said
    assert "<line x1=" in page and 'class="dot hollow m-bert"' in page and 'class="dot m-bert"' in page
    assert "majority 50.0 %" in said


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [(0.5234, "within chance, so nothing is claimed"), (0.61, "above chance"), (0.4, "below chance")],
)
def test_next_sentence_is_judged_by_its_chance_interval(build: Callable[..., Path], accuracy: float, said: str) -> None:
    root = build()
    path = root / "data" / "models" / "bert" / "history.json"
    history = read_json(path)
    history[-1]["heldout"]["nsp_accuracy"] = accuracy
    write_json(path, history)
    page = draw(root)
    assert f"The last accuracy, {accuracy:.1%}, lies {said}.".replace("%", " %") in after(page, "pretraining")
    assert ("no claim" in page) == (accuracy == 0.5234)


def test_always_the_commoner_answer_is_no_reading_of_sentences(build: Callable[..., Path]) -> None:
    root = build()
    path = root / "data" / "models" / "bert" / "history.json"
    history = read_json(path)
    for row in history:
        if "heldout" in row:
            row["heldout"] |= {"nsp_majority": 0.6035, "nsp_accuracy": 0.6035}
    write_json(path, history)
    page = draw(root)
    assert "The last accuracy, 60.4 %, lies within chance" in after(page, "pretraining")
    assert "is right for 60.4 % of 512 pairs" in after(page, "pretraining")
    assert "above chance" not in page


def test_a_model_that_is_no_better_than_frequencies_is_not_praised(build: Callable[..., Path]) -> None:
    root = build()
    path = root / "data" / "models" / "bert" / "history.json"
    history = read_json(path)
    history[-1]["heldout"] |= {"mlm_loss": 7.3, "nsp_accuracy": None, "nsp_loss": None}
    for row in history[:-1]:
        row.pop("heldout", None)
    write_json(path, history)
    said = after(draw(root), "pretraining")
    assert "BERT has not got below it" in said
    assert "nats below it" not in said
    assert "Next-sentence prediction was off" in said


def test_without_a_look_at_held_out_text_that_is_said(build: Callable[..., Path]) -> None:
    root = build()
    path = root / "data" / "models" / "bert" / "history.json"
    write_json(path, [{key: row[key] for key in row if key != "heldout"} for row in read_json(path)])
    page = draw(root)
    assert "No held-out loss was measured." in page
    assert "not measured" in page


def test_no_word_no_sentence_no_section(build: Callable[..., Path]) -> None:
    root = build()
    params = root / "params.yaml"
    text = re.sub(r"  ambiguous:\n(?:    .*\n)+", "", params.read_text(encoding="utf-8"))
    params.write_text(re.sub(r"  fill:\n(?:    - .*\n)+", "  fill: [no blank in here]\n", text), encoding="utf-8")
    page = draw(root)
    assert 'id="senses"' not in page and "#senses" not in page
    assert "No sentence with a blank was given." in page


def test_a_task_on_which_no_system_was_measured(build: Callable[..., Path]) -> None:
    root = build()
    edit_results(root, "boolq", systems=[], majority={"score": None, "what": ""})
    page = draw(root)
    assert page.count("No answers to show.") == 1
    assert page.count("No system was measured.") == 1


def test_lineage_names_tokenizer_store_and_examples(build: Callable[..., Path]) -> None:
    root = build()
    said = after(draw(root), "lineage")
    store = read_json(root / "data" / "tokens" / "pieces" / "manifest.json")
    files = [one["sha256"] for name, one in store["files"].items() if name.endswith(".ids")]
    for digest in ("e" * 64, store["tokenizer"]["sha256"], *files, "9" * 64, "8" * 64):
        assert digest in said
    train = store["splits"]["train"]
    assert f"train {train['tokens']:,} tokens in {train['sentences']:,} sentences" in said


def give_bias(root: Path, bias: np.ndarray) -> None:
    """Let the model say the same of every position: `bias`, as logits."""
    from firth.bert.folder import load, save

    folder = root / "data" / "models" / "bert"
    kept = {name: (folder / name).read_bytes() for name in ("history.json", "training.json")}
    bert = load(folder)
    with torch.no_grad():
        bert.model.encoder.embeddings.tokens.weight.zero_()
        bert.model.mlm.bias.copy_(torch.from_numpy(bias))
    save(folder, bert)
    for name, content in kept.items():
        (folder / name).write_bytes(content)


def test_hidden_words_are_told_from_those_left_in_their_place(build: Callable[..., Path]) -> None:
    """A model of frequencies alone gains nothing under [MASK], whatever its history says, and the page says so."""
    root = build()
    store = TokenStore.open(root / "data" / "tokens" / "pieces")
    give_bias(root, -unigram_losses(store.unigrams))
    params = load_params(root / "params.yaml")
    report = collect(read_inputs(root / "data", list(params.tasks)), params)
    assert report["hidden"]["positions"] > 20
    assert report["hidden"]["gain"] == pytest.approx(0, abs=1e-3)
    assert "learnt to repeat what stands there" in after(render(report, data=".."), "pretraining")

    give_bias(root, unigram_losses(store.unigrams))  # rare pieces first: worse than frequencies
    assert collect(read_inputs(root / "data", list(params.tasks)), params)["hidden"]["gain"] < -0.05
