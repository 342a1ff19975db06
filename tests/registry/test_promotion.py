"""Promotion on a real store: evidence, refusal, rollback, crashes and two at once."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from rich.console import Console
from scored_project import DIGESTS, DVC, GOOD, WORDS, ScoredProject
from small_registry import short_leases, stops_at

from firth.cli import main
from firth.errors import DataError, FirthError, IntegrityError
from firth.registry import promote as promotion_module
from firth.registry import versions as versions_module
from firth.registry.candidate import Candidate
from firth.registry.decisions_page import decisions_page
from firth.registry.outage import OutageError
from firth.registry.promote import Promotion, SomeFailedError, promote_all
from firth.registry.rollback import rollback
from firth.registry.show import decisions_table, models_table, registered
from firth.registry.versions import VERSIONS_TAG, all_versions, by_alias, fetch_vectors, load_checked, scores_of
from firth.tasks.words.suites import SUITES, TaskSet
from firth.tracking.evidence import evidence
from firth.tracking.lineage import lineage
from firth.tracking.reconcile import reconcile
from firth.tracking.store import Store, open_store
from firth.vectors.vectors import Vectors

NAME = "word2vec-skipgram"
BETTER = GOOD | {"wordsim353": 0.55}
WORSE = GOOD | {"wordsim353": 0.45}


def promote(project: ScoredProject) -> Promotion:
    (promotion,) = promote_all(project.root, ["skipgram"])
    return promotion


def aliases(store: Store) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model(NAME).aliases.items()}


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
    assert "wordsim353: 0.5000 [0.4900, 0.5100], 90 of 100 covered" in card
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
    assert text(models_table(rows)).count("@champion") == 2
    assert "first champion" in text(decisions_table(promotions))
    page = decisions_page(promotions)
    assert "| wordsim353 | 0.5000 | 0.4900 … 0.5100 | – | – | 0.3500 | 0.0200 | 90 of 100 |" in page
    assert "| policy suites.wordsim353.minimum | 0.35 |" in page
    assert "| validation of news | passed |" in page
    assert f"| weights | {promotions[0].record['evidence']['weights_sha256']} |" in page
    assert f"| prepare: data/corpus | {DVC['data/corpus']} |" in page
    assert f"| wordsim353 | task file | {DIGESTS['wordsim353']} | – |" in page


BOTH = """
import json, sys
from pathlib import Path
from firth.registry.promote import promote_all
(item,) = promote_all(Path(sys.argv[1]), ["skipgram"])
print(json.dumps(item.data()))
"""


@pytest.mark.slow
@pytest.mark.system
def test_two_promotions_at_once_do_not_both_win(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    project.train("skipgram", 1)
    promote(project)
    monkeypatch.setenv("FIRTH_STATE", str(project.root / ".firth"))
    roots = []
    for seed in (2, 3):
        project.train("skipgram", seed, BETTER)
        roots.append(project.root.parent / f"worktree-{seed}")
        shutil.copytree(project.root, roots[-1], ignore=shutil.ignore_patterns(".firth"))
    children = [subprocess.Popen([sys.executable, "-c", BOTH, str(root)], stdout=subprocess.PIPE) for root in roots]
    outcomes = [json.loads(child.communicate(timeout=180)[0].splitlines()[-1]) for child in children]
    assert sorted(outcome["verdict"] for outcome in outcomes) == ["promoted", "refused"]
    (winner,) = [outcome["version"] for outcome in outcomes if outcome["verdict"] == "promoted"]
    store = open_store(project.root)
    assert aliases(store)["champion"] == winner
    assert aliases(store)["previous"] == "1"
    assert len(all_versions(store, NAME)) == 3


@pytest.mark.parametrize("deleted", ["1", "2"])
def test_a_version_that_is_deleted_under_the_gate_promotes_nothing(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch, deleted: str
) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, BETTER)
    store, decided = open_store(project.root), promotion_module.decide

    def decide(*arguments: object) -> object:
        monkeypatch.undo()
        store.client.delete_model_version(NAME, deleted)
        return decided(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(promotion_module, "decide", decide)
    if deleted == "1":  # the champion: the place is free, which the gate sees when it looks once more
        assert promote(project).champion == "2"
        return
    with pytest.raises(FirthError, match=f"{NAME} version 2 was deleted from the registry while firth promote"):
        promote(project)
    assert aliases(store) == {"champion": "1"}
    assert promote(project).champion == "3"


def test_the_same_weights_of_another_clone_are_the_champion_unchanged(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, BETTER)
    store, judge = open_store(project.root), promotion_module._judge

    def other_wins(*arguments: object) -> object:
        judged = judge(*arguments)  # type: ignore[arg-type]
        monkeypatch.undo()
        assert promote(project).champion == "2"
        return judged

    monkeypatch.setattr(promotion_module, "FileLock", lambda path: nullcontext())
    monkeypatch.setattr(promotion_module, "_judge", other_wins)
    late = promote(project)
    assert (late.decision.verdict, late.version, late.champion, late.previous) == ("unchanged", "2", "2", "1")
    assert store.client.get_model_version(NAME, "2").tags["firth.verdict"] == "promoted"


def test_one_model_that_fails_hides_no_decision(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.train("skipgram", 1)
    with pytest.raises(SomeFailedError, match=r"\(skipgram was\) — cbow: .*run the stage word2vec@cbow") as caught:
        promote_all(project.root, ["cbow", "skipgram"])
    assert [(item.name, item.champion) for item in caught.value.done] == [(NAME, "1")]
    page = decisions_page(caught.value.done, caught.value.failed)
    assert "**word2vec-skipgram** version 1: **promoted**" in page
    assert "**cbow**: **not decided**" in page

    monkeypatch.setattr(sys, "argv", ["firth", "promote", "cbow", "skipgram", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert [item["version"] for item in json.loads(shown.out)] == ["1"]
    assert shown.err.startswith("error: not every model could be decided")


@pytest.mark.slow
def test_a_store_that_goes_away_under_the_gate_is_one_error_that_says_what_was_done(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, BETTER)
    store = open_store(project.root)

    def refused() -> MlflowException:
        return MlflowException("API request to http://x failed: [Errno 111] Connection refused')")

    registered = f"{NAME} version 2 is registered"
    untouched = "@champion and @previous were not touched"
    begun = f"the move of @champion of {NAME} to version 2 had begun"
    with pytest.MonkeyPatch.context() as patch:
        short_leases(patch)
        cases = {
            ("set_registered_model_alias", 0): ([registered, untouched], ["@challenger is"]),
            ("log_text", 0): ([registered, "@challenger is version 2", untouched], ["on record"]),
            ("set_registered_model_tag", 0): (["the decision (promoted) is on record", begun], []),
            ("set_registered_model_alias", 2): ([begun], []),
        }
        for (method, at), (there, missing) in cases.items():
            with stops_at(at, refused, (method,)), pytest.raises(OutageError) as caught:
                promote(project)
            text = str(caught.value)
            assert text.startswith(f"firth promote: MLflow at {store.uri} failed (Connection refused); done before: ")
            assert text.endswith("; then run it again")
            assert all(part in text for part in there), text
            assert not any(part in text for part in missing), text
            assert aliases(store)["champion"] == "1"
        assert promote(project).champion == "2"
    assert aliases(store) == {"challenger": "2", "champion": "2", "previous": "1"}


def test_a_version_deleted_before_it_is_the_challenger(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.train("skipgram", 1)
    register = promotion_module.register

    def deleted(store: Store, candidate: Candidate) -> object:
        version = register(store, candidate)
        store.client.delete_model_version(NAME, version.version)
        return version

    monkeypatch.setattr(promotion_module, "register", deleted)
    with pytest.raises(FirthError, match="version 1 was deleted from the registry while firth promote worked with it"):
        promote(project)


def test_a_record_holds_the_champions_numbers_and_none_replaces_another(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    promote(project)
    project.train("skipgram", 2, WORSE)
    (refused,) = promote_all(project.root, ["skipgram"], flow_run="a-flow-run")
    promote(project)
    held = refused.record["evidence"]["champion"]
    assert held["version"] == "1"
    assert held["suites"]["wordsim353"] | {"low": 0.49, "high": 0.51} == held["suites"]["wordsim353"]
    assert held["conditions"]["wordsim353"] == {"file": DIGESTS["wordsim353"]}
    assert refused.record["flow_run"] == "a-flow-run"
    assert refused.record["noise"] is None
    assert "| 0.5000 | 0.4900 … 0.5100 | 0.3500 |" in decisions_page([refused])
    run = open_store(project.root).client.get_model_version(NAME, "2").run_id
    paths = sorted(item.path for item in open_store(project.root).client.list_artifacts(run, "promotion"))
    assert paths == [f"promotion/{NAME}-v2-001.json", f"promotion/{NAME}-v2-002.json"]


def test_weights_that_two_clones_register_at_once_are_one_version(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.train("skipgram", 1)
    log = versions_module._log

    def meanwhile(store: Store, candidate: Candidate) -> object:
        monkeypatch.undo()
        versions_module.register(store, candidate)
        return log(store, candidate)

    monkeypatch.setattr(versions_module, "_log", meanwhile)
    assert promote(project).champion == "1"
    assert len(all_versions(open_store(project.root), NAME)) == 1
