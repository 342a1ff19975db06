"""Promotions that something comes between: another clone, a version that is deleted, a store that goes away."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext

import pytest
from mlflow.exceptions import MlflowException
from promoting import BETTER, NAME, WORSE, aliases, promote
from scored_project import DIGESTS, ScoredProject
from small_registry import short_leases, stops_at

from firth.cli import main
from firth.errors import FirthError
from firth.registry import promote as promotion_module
from firth.registry import versions as versions_module
from firth.registry.candidate import Candidate
from firth.registry.decisions_page import decisions_page
from firth.registry.outage import OutageError
from firth.registry.promote import SomeFailedError, promote_all
from firth.registry.versions import all_versions
from firth.tracking.store import Store, open_store

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
