"""Promotion on a real store: evidence, refusal, rollback, a crash between two moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from promoting import BETTER, NAME, WORSE, aliases, promote
from rich.console import Console
from scored_project import DIGESTS, DVC, WORDS, ScoredProject

from firth.errors import DataError, FirthError, IntegrityError
from firth.registry.decisions_page import decisions_page
from firth.registry.promote import promote_all
from firth.registry.rollback import rollback
from firth.registry.show import ModelsTable, decisions_table, registered
from firth.registry.versions import VERSIONS_TAG, all_versions, by_alias, fetch_vectors, load_checked, scores_of
from firth.tasks.words.suites import SUITES, TaskSet
from firth.tracking.evidence import evidence
from firth.tracking.lineage import lineage
from firth.tracking.reconcile import reconcile
from firth.tracking.store import open_store
from firth.vectors.vectors import Vectors


def text(renderable: object) -> str:
    console = Console(width=400, record=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_the_first_good_model_becomes_champion_and_answers(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promotion = promote(project)
    assert (promotion.version, promotion.champion, promotion.previous) == ("1", "1", None)
    assert promotion.decision.verdict == "promoted"
    store = open_store(project.root)
    assert aliases(store) == {"challenger": "1", "champion": "1"}
    version = by_alias(store, NAME, "champion")
    assert version is not None
    card = version.description
    assert "collection CC0 1.0" in card
    assert "wordsim353: spearman 0.5000 [0.4900, 0.5100], 90 of 100 covered" in card
    assert "window 5" in card

    import mlflow
    import pandas as pd

    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    words = pd.DataFrame({"word": ["King", "zebra"]})
    near = model.predict(words, params={"topn": 3})
    assert list(near["known"]) == [True, False]
    assert len(near["neighbours"][0]) == 3
    assert "king" not in near["neighbours"][0]
    assert near["neighbours"][1] == []
    code = model.predict(words, params={"task": "encode"})
    assert len(code["vector"][0]) == 4
    files = [path for path in (project.root / ".firth" / "mlflow" / "artifacts").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle")]


def test_the_training_run_keeps_its_end_and_the_model_says_what_its_aliases_mean(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    store = open_store(project.root)
    run_id = reconcile(project.root, store)[0].run_id
    store.client.set_terminated(run_id, "FINISHED", end_time=1_700_000_000_000)
    promote(project)
    run = store.client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FINISHED", 1_700_000_000_000)
    assert '"version": 1' in store.client.get_logged_model(run.outputs.model_outputs[0].model_id).tags[VERSIONS_TAG]
    assert "`@previous`" in store.client.get_registered_model(NAME).description


def test_identical_vectors_change_nothing(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promote(project)
    store = open_store(project.root)
    before = [dict(version) for version in all_versions(store, NAME)]
    again = promote(project)
    assert (again.decision.verdict, again.version, again.champion) == ("unchanged", "1", "1")
    assert [dict(version) for version in all_versions(store, NAME)] == before


@pytest.mark.slow
def test_a_worse_model_is_refused_with_the_reason_on_its_version(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, WORSE)
    for _ in range(2):
        refused = promote(project)
        assert (refused.decision.verdict, refused.version, refused.champion) == ("refused", "2", "1")
    store = open_store(project.root)
    assert len(all_versions(store, NAME)) == 2
    version = store.client.get_model_version(NAME, "2")
    assert version.tags["firth.verdict"] == "refused"
    assert "wordsim353 fell from 0.5000 to 0.4500" in version.tags["firth.reasons"]
    assert "wordsim353 fell from 0.5000 to 0.4500" in version.description
    record = json.loads(
        Path(store.client.download_artifacts(version.run_id, f"promotion/{NAME}-v2-002.json")).read_text(
            encoding="utf-8"
        )
    )
    assert record["verdict"] == "refused"
    assert record["champion_before"] == "1"
    assert record["evidence"]["stages"]["words"] == {"data/tokens/words": DVC["data/tokens/words"]}
    measured = evidence(project.root, "skipgram")
    assert record["evidence"]["conditions"] == {suite: result.conditions for suite, result in measured.items()}
    assert aliases(store) == {"challenger": "2", "champion": "1"}


@pytest.mark.slow
def test_a_better_model_is_promoted_and_rolled_back(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, BETTER)
    promoted = promote(project)
    assert (promoted.decision.verdict, promoted.champion, promoted.previous) == ("promoted", "2", "1")
    store = open_store(project.root)

    back = rollback(NAME)
    assert (back.champion, back.replaced) == ("1", "2")
    assert aliases(store) == {"challenger": "2", "champion": "1", "previous": "2"}
    assert store.client.get_model_version(NAME, "2").tags["firth.rolled_back"].startswith("to 1 at ")
    refused = promote(project)
    assert refused.decision.verdict == "refused"
    assert "version 2 was rolled back" in refused.decision.reasons[0]

    rollback(NAME)
    assert aliases(store) == {"challenger": "2", "champion": "2", "previous": "1"}
    assert promote(project).decision.verdict == "unchanged"


def test_there_must_be_something_to_go_back_to(project: ScoredProject) -> None:
    with pytest.raises(FirthError, match="has no champion"):
        rollback(NAME)
    project.train("skipgram", 1)
    promote(project)
    with pytest.raises(FirthError, match="no earlier champion to go back to; version 1 stays"):
        rollback(NAME)


def test_failed_validation_is_no_champion(project: ScoredProject) -> None:
    project.validated("news", False)
    project.train("skipgram", 1)
    promotion = promote(project)
    assert promotion.decision.reasons == ("validation failed for news",)
    assert promotion.champion is None


@pytest.mark.parametrize("move", [1, 2, 3])
def test_a_crash_between_two_moves_leaves_one_champion(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch, move: int
) -> None:
    from mlflow import MlflowClient

    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, BETTER)
    real, calls = MlflowClient.set_registered_model_alias, []

    def crash(self: MlflowClient, *arguments: str) -> None:
        calls.append(arguments)
        if len(calls) == move:
            raise KeyboardInterrupt
        real(self, *arguments)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", crash)
    with pytest.raises(KeyboardInterrupt):
        promote(project)
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", real)
    store = open_store(project.root)
    champion = by_alias(store, NAME, "champion")
    assert champion is not None
    assert str(champion.version) == "1"
    assert len(load_checked(NAME, champion).words) == 10
    mended = promote(project)
    assert (mended.decision.verdict, mended.champion, mended.previous) == ("promoted", "2", "1")
    assert len(all_versions(store, NAME)) == 2


def test_weights_altered_in_the_store_never_become_champion(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, WORSE)
    promote(project)
    project.train("skipgram", 2, BETTER)
    for path in (project.root / ".firth" / "mlflow" / "artifacts").rglob("vectors.safetensors"):
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(IntegrityError, match="version 2: the stored weights"):
        promote(project)
    assert aliases(open_store(project.root))["champion"] == "1"


@pytest.mark.slow
def test_another_clones_champion_is_judged_anew(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.train("skipgram", 1, WORSE)
    promote(project)
    project.train("skipgram", 2, BETTER | {"wordsim353": 0.6})
    promote(project)
    rollback(NAME)
    project.train("skipgram", 3, BETTER)
    store = open_store(project.root)
    from firth.registry import promote as module

    real = module._judge

    def meanwhile(*arguments: object) -> object:
        judged = real(*arguments)  # type: ignore[arg-type]
        store.client.set_registered_model_alias(NAME, "champion", "2")
        return judged

    monkeypatch.setattr(module, "_judge", meanwhile)
    late = promote(project)
    assert late.decision.verdict == "refused"
    assert "0.6000" in late.decision.reasons[0]
    assert aliases(store)["champion"] == "2"


@pytest.mark.slow
def test_a_champion_of_other_task_files_is_scored_again(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {
        "analogies": b": family\nking queen man woman\n",
        "wordsim353": b"king\tqueen\t9\nking\tparis\t1\nman\twoman\t8\n",
        "simlex999": b"king\tqueen\t9\nking\tparis\t1\nman\twoman\t8\n",
    }
    tasks = TaskSet.parse(contents, dict.fromkeys(SUITES, "tasks.txt"))
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, BETTER, **tasks.digests)
    monkeypatch.setattr(TaskSet, "fetch", classmethod(lambda cls, files: tasks))
    decided = promote(project)
    store = open_store(project.root)
    champion = scores_of(store.client.get_model_version(NAME, "1"))
    assert champion.conditions["wordsim353"] == {"file": tasks.digests["wordsim353"]}
    assert champion.conditions["analogies"] == {"file": tasks.digests["analogies"], "restrict_vocabulary": 30000}
    assert champion.suites["wordsim353"]["total"] == 3
    by_suite = {row.suite: row for row in decided.decision.numbers}
    assert by_suite["wordsim353"].champion == champion.value("wordsim353")


@pytest.mark.slow
def test_versions_of_the_first_release_are_read(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the weights under another tag, no digest of the folder, and one set of conditions for all suites."""
    project.train("skipgram", 1)
    promote(project)
    store = open_store(project.root)
    version = store.client.get_model_version(NAME, "1")
    store.client.set_model_version_tag(NAME, "1", "firth.vectors_sha256", version.tags["firth.weights_sha256"])
    scores = json.loads(version.tags["firth.scores"]) | {
        "conditions": {"analogies": "a" * 64, "restrict_vocabulary": 9}
    }
    store.client.set_model_version_tag(NAME, "1", "firth.scores", json.dumps(scores))
    for tag in ("firth.weights_sha256", "firth.folder_sha256", "firth.dvc"):
        store.client.delete_model_version_tag(NAME, "1", tag)
    assert promote(project).decision.verdict == "unchanged"
    assert lineage(f"{NAME}@champion").weights_sha256 == version.tags["firth.weights_sha256"]
    assert fetch_vectors(f"{NAME}@champion").is_dir()

    pairs = b"king\tqueen\t9\nking\tparis\t1\nman\twoman\t8\n"
    contents = {"analogies": b": family\nking queen man woman\n", "wordsim353": pairs, "simlex999": pairs}
    tasks = TaskSet.parse(contents, dict.fromkeys(SUITES, "tasks.txt"))
    monkeypatch.setattr(TaskSet, "fetch", classmethod(lambda cls, files: tasks))
    project.train("skipgram", 2, BETTER, **tasks.digests)
    assert [row.other for row in promote(project).decision.numbers] == ["", "", ""], "scored again"


def test_a_model_beyond_the_limits_is_refused_and_its_cost_is_on_record(project: ScoredProject) -> None:
    project.change("gate.word2vec.limits.megabytes=0.00001", "gate.word2vec.limits.milliseconds=60000")
    project.train("skipgram", 1)
    refused = promote(project)
    size = sum(path.stat().st_size for path in (project.root / "data" / "vectors" / "skipgram").iterdir()) / 1e6
    assert refused.decision.reasons == (f"its files have {round(size, 3):g} MB, 1e-05 are allowed",)
    store = open_store(project.root)
    version = store.client.get_model_version(NAME, "1")
    path = store.client.download_artifacts(version.run_id, f"promotion/{NAME}-v1-001.json")
    cost = json.loads(Path(path).read_text(encoding="utf-8"))["evidence"]["cost"]
    assert cost["megabytes"] == round(size, 3)
    assert 0.0 < cost["milliseconds"] < 60_000
    assert f"**Cost**: {round(size, 3):g} MB, {cost['milliseconds']:g} ms an answer" in version.description


def test_models_without_evidence_are_not_registered(project: ScoredProject) -> None:
    with pytest.raises(DataError, match=r"run the stage word2vec@skipgram first"):
        promote(project)
    project.train("skipgram", 1)
    (project.root / "data" / "tasks" / "words" / "results.json").unlink()
    with pytest.raises(DataError, match="no score on analogies; run the stage word-tasks first"):
        promote(project)
    with pytest.raises(FirthError, match="unknown model glove; there are: skipgram, cbow, bert"):
        promote_all(project.root, ["glove"])


def test_lineage_walks_back_to_the_data(project: ScoredProject) -> None:
    fingerprint = project.train("skipgram", 1)
    promote(project)
    found = lineage(f"{NAME}@champion")
    assert lineage(f"{NAME}/1") == lineage("skipgram@champion") == found
    vectors = Vectors.load(fetch_vectors("skipgram@champion"))
    assert vectors.vocabulary.words == tuple(WORDS)
    assert found.fingerprint == fingerprint
    assert found.aliases == ["challenger", "champion"]
    assert len(found.commit) == 40
    assert found.stages["ingest@news"] == {"data/raw/news": DVC["data/raw/news"]}
    shown = text(found.render())
    for part in ("@champion", "version 1, promoted", f"git commit {found.commit}", "news: passed", "CC BY-SA 3.0"):
        assert part in shown
    assert f"words: data/tokens/words {DVC['data/tokens/words']}" in shown
    assert json.loads(json.dumps(found.data()))["version"] == "1"
    with pytest.raises(FirthError, match=r"write it as NAME@alias or NAME/version"):
        lineage(NAME)
    with pytest.raises(FirthError, match="is not registered"):
        lineage(f"{NAME}@previous")


def test_what_the_registry_lists(project: ScoredProject) -> None:
    assert registered() == []
    project.train("skipgram", 1)
    project.train("cbow", 1, WORSE)
    promotions = promote_all(project.root, ["skipgram", "cbow"])
    rows = registered()
    assert [(row.name, row.aliases, row.verdict) for row in rows] == [
        ("word2vec-cbow", ["challenger", "champion"], "promoted"),
        (NAME, ["challenger", "champion"], "promoted"),
    ]
    # the trap behind `registered` reading aliases from the model
    assert [list(version.aliases) for version in all_versions(open_store(), NAME)] == [[]]
    assert text(ModelsTable(rows)).count("@champion") == 2
    assert "first champion" in text(decisions_table(promotions))
    page = decisions_page(promotions)
    assert "| wordsim353 | 0.5000 | 0.4900 … 0.5100 | – | – | 0.3500 | 0.0200 | 90 of 100 |" in page
    assert "| policy suites.wordsim353.minimum | 0.35 |" in page
    assert "| validation of news | passed |" in page
    assert f"| weights | {promotions[0].record['evidence']['weights_sha256']} |" in page
    assert f"| prepare: data/corpus | {DVC['data/corpus']} |" in page
    assert f"| wordsim353 | task file | {DIGESTS['wordsim353']} | – |" in page
