"""What vectors answered to each question and pair, and whether a gain on them is more than noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored_project import GOOD, ScoredProject

from firth.canonical import write_json
from firth.config.evaluation import TaskFiles, WordTasks
from firth.errors import DataError
from firth.registry.noise import noise_of_gain
from firth.registry.promote import Promotion, promote_all
from firth.registry.singles import Singles, keep, kept
from firth.registry.versions import by_alias
from firth.registry.word_singles import FOLDER, of_stage, scores
from firth.tasks.words.suites import SUITES, TaskSet, score_words
from firth.tracking.store import open_store

ANALOGIES = b": family\nking queen man woman\nqueen king woman man\nking queen uncle aunt\nKing Queen prince princess\n"
PAIRS = b"king\tqueen\t9.0\nman\twoman\t8.0\nking\twoman\t3.0\nqueen\tman\t2.5\nuncle\tking\t1.0\nzebra\tking\t0.5\n"
WORDS = ["king", "queen", "man", "woman", "uncle", "Aunt", "prince", "princess"]
FILES = TaskFiles(package="p", version="1", sha256="0" * 64, analogies="a", wordsim353="w", simlex999="s")
CONTENTS = {"analogies": ANALOGIES, "wordsim353": PAIRS, "simlex999": PAIRS}


def measured(root: Path, **models: tuple[list[str], int]) -> dict[str, dict[str, float]]:
    """Write what `word-tasks` writes, of random vectors of these words and seeds; the scores."""
    tasks = TaskSet.parse(CONTENTS, {suite: suite for suite in SUITES})
    summaries = {}
    for name, (words, seed) in models.items():
        matrix = np.random.default_rng(seed).normal(size=(len(words), 3)).astype(np.float32)
        found = score_words(words, matrix, tasks, WordTasks(files=FILES, bootstrap=100))
        summaries[name] = found.summary()
        path = root / FOLDER / f"predictions-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(found.prediction_lines()), encoding="utf-8")
    write_json(root / FOLDER / "results.json", {"digests": tasks.digests, "models": summaries})
    return {name: {suite: part[suite]["score"] for suite in SUITES} for name, part in summaries.items()}


@pytest.mark.parametrize("suite", SUITES)
def test_the_score_over_all_answers_is_the_suites(tmp_path: Path, suite: str) -> None:
    found = measured(tmp_path, skipgram=(WORDS, 5), cbow=(WORDS[:5], 1))
    answered = [of_stage(tmp_path, suite, model) for model in found]
    assert [singles.seeds for singles in answered] == [(found[model][suite],) for model in found]
    both = scores(tmp_path, suite, answered)
    assert [score.score for score in both] == pytest.approx([found[model][suite] for model in found], abs=1e-6)
    assert [len(score) for score in both] == [6 if suite != "analogies" else 4] * 2, "covered or not"


def test_case_does_not_make_an_answer_wrong(tmp_path: Path) -> None:
    """`Aunt` is the vocabulary's spelling, `aunt` the file's."""
    found = {
        seed: measured(tmp_path, skipgram=(WORDS, seed))["skipgram"]["analogies"] * 4
        - sum(of_stage(tmp_path, "analogies", "skipgram").predicted.values())
        for seed in range(40)
    }
    assert set(found.values()) == {0.0}


def test_a_resample_without_anything_that_is_covered_scores_nothing(tmp_path: Path) -> None:
    measured(tmp_path, skipgram=(["king", "queen", "zebu"], 1))
    for suite in SUITES:
        (score,) = scores(tmp_path, suite, [of_stage(tmp_path, suite, "skipgram")])
        assert np.isfinite(score.under(np.eye(len(score)))).all()
        assert len(score.each()) == len(score)


def singles(right: list[bool | None]) -> Singles:
    return Singles("analogies", "d", (0.5,), {str(number): answer for number, answer in enumerate(right)})


def test_it_is_what_resampling_by_hand_finds(tmp_path: Path) -> None:
    """Of 200 questions the champion covers all, the challenger the last 150."""
    write_json(tmp_path / FOLDER / "results.json", {"digests": {"analogies": "d"}, "models": {}})
    ours = [number >= 110 if number >= 50 else None for number in range(200)]
    theirs = [30 <= number < 138 for number in range(200)]
    rng = np.random.default_rng(3)
    picks = rng.integers(0, 200, (20_000, 200))
    inside = picks >= 50
    gains = (picks >= 110).sum(axis=1) / inside.sum(axis=1) - np.array(theirs)[picks].mean(axis=1)
    found = noise_of_gain(tmp_path, singles(ours), singles(theirs), 0.02).gained
    assert found == pytest.approx((gains >= 0.02).mean(), abs=0.02)
    assert 0.2 < found < 0.9
    with pytest.raises(DataError, match="not the file of analogies that both models have answered"):
        noise_of_gain(tmp_path, singles(ours), Singles("analogies", "e", (0.5,), {}), 0.0)


def test_kept_answers_stay_beside_their_own_pairs(
    tmp_path: Path, project: ScoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than ten pairs: in the kept file the eleventh comes before the third."""
    pairs = b"".join(f"{a}\t{b}\t{len(a) - len(b)}\n".encode() for a in WORDS[:5] for b in WORDS[:5] if a != b)
    monkeypatch.setitem(CONTENTS, "wordsim353", pairs)
    wanted = measured(tmp_path, skipgram=(WORDS, 5))["skipgram"]["wordsim353"]
    project.train("skipgram", 1)
    promote(project)
    store = open_store(project.root)
    version = by_alias(store, "word2vec-skipgram", "champion")
    assert version is not None
    keep(store, version, of_stage(tmp_path, "wordsim353", "skipgram"))
    found = kept(store, version, "wordsim353")
    assert found is not None
    assert list(found.predicted)[2] == "10"
    (score,) = scores(tmp_path, "wordsim353", [found])
    assert score.score == pytest.approx(wanted, abs=1e-6)


def answer(project: ScoredProject, right: int) -> None:
    """Predictions of the skip-gram model of the project: so many of 100 questions right."""
    lines = [
        f'{{"suite": "analogies", "expected": "w", "predicted": "{"w" if number < right else "v"}"}}\n'
        for number in range(100)
    ]
    (project.root / FOLDER / "predictions-skipgram.jsonl").write_text("".join(lines), encoding="utf-8")


def promote(project: ScoredProject) -> Promotion:
    (promotion,) = promote_all(project.root, ["skipgram"])
    return promotion


@pytest.mark.slow
def test_words_that_decide_may_be_asked_for_more_than_noise(project: ScoredProject) -> None:
    project.change("gate.word2vec.decisive=analogies", "gate.word2vec.confidence=0.95")
    for seed, right in ((1, 50), (2, 51), (3, 60)):
        project.train("skipgram", seed, GOOD | {"analogies": right / 100})
        answer(project, right)
        promotion = promote(project)
        assert promotion.champion == ("1" if seed < 3 else "3"), promotion.decision.reasons
        if seed == 2:
            (reason,) = promotion.decision.reasons
            assert "(0.5000 to 0.5100), a gain only in 64." in reason
            assert "% of 10,000 resamples of 100 questions: may be chance" in reason
    store = open_store(project.root)
    champion = by_alias(store, "word2vec-skipgram", "champion")
    assert champion is not None
    found = kept(store, champion, "analogies")
    assert found is not None
    assert sum(found.predicted.values()) == 60
