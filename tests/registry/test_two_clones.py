"""Promotions of two clones on one MLflow server, as processes of their own: at once, and killed between two steps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_server import answers, free_port, server, until
from scored_project import GOOD, ScoredProject

from firth.errors import FirthError
from firth.registry import promote as promote_module
from firth.registry.lock import lock_name
from firth.registry.outage import OutageError
from firth.registry.promote import promote_all
from firth.registry.versions import all_versions, by_alias, load_checked
from firth.tracking.store import Store, open_store

NAME = "word2vec-skipgram"
BETTER = GOOD | {"wordsim353": 0.55}

CHILD = """
import json, os, signal, sys, time
from pathlib import Path
from mlflow import MlflowClient
from firth.registry import lock, promote

root, case = Path(sys.argv[1]), json.loads(sys.argv[2])
if "lease" in case:
    lock.LEASE_SECONDS, lock.MOVE_SECONDS = case["lease"], 0.2

if "meet" in case:  # both have decided before either moves an alias, and moving takes a while
    judge, move, met = promote._judge, MlflowClient.set_registered_model_alias, []

    def decided(*arguments):
        judged = judge(*arguments)
        if not met:
            met.append(Path(case["meet"]) / str(os.getpid()))
            met[0].touch()
            while len(list(met[0].parent.iterdir())) < 2:
                time.sleep(0.02)
        return judged

    def slowly(self, name, alias, version):
        time.sleep(0.0 if alias == "challenger" else 0.7)
        move(self, name, alias, version)

    promote._judge, MlflowClient.set_registered_model_alias = decided, slowly

if "killed" in case:  # by SIGKILL, before or after the call that is named
    method, when, at = case["killed"]
    inner, calls = getattr(MlflowClient, method), []

    def deadly(self, *arguments, **named):
        if method != "create_registered_model" or arguments[0].endswith("-lock"):
            calls.append(method)
        if (when, len(calls)) == ("before", at):
            os.kill(os.getpid(), signal.SIGKILL)
        done = inner(self, *arguments, **named)
        if (when, len(calls)) == ("after", at):
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(MlflowClient, method, deadly)

if "stopped" in case:  # before it moves that alias, after it has seen that the lock is its own
    move = MlflowClient.set_registered_model_alias

    def stopping(self, name, alias, version):
        if alias == case["stopped"]:
            case["stopped"] = ""
            os.kill(os.getpid(), signal.SIGSTOP)
        move(self, name, alias, version)

    MlflowClient.set_registered_model_alias = stopping

(item,) = promote.promote_all(root, ["skipgram"])
print(json.dumps(item.data()))
"""


@pytest.fixture
def clones(project: ScoredProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """A champion, and two clones with better models of their own; each has its state, they share the server."""
    port = free_port()
    shared = tmp_path / "server"
    shutil.copytree(project.root / ".firth" / "mlflow", shared)
    with server(shared, port):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        project.train("skipgram", 1)
        promote_all(project.root, ["skipgram"])
        roots = []
        for seed in (2, 3):
            project.train("skipgram", seed, BETTER)
            roots.append(tmp_path / f"clone-{seed}")
            shutil.copytree(project.root, roots[-1], ignore=shutil.ignore_patterns(".firth"))
        yield roots[0], roots[1]


def start(root: Path, **case: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(root), json.dumps(case)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(child: subprocess.Popen[str]) -> dict[str, object]:
    out, err = child.communicate(timeout=180)
    assert child.returncode == 0, err
    found: dict[str, object] = json.loads(out.splitlines()[-1])
    return found


def aliases(store: Store) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model(NAME).aliases.items()}


@pytest.mark.slow
@pytest.mark.system
def test_two_that_decide_at_the_same_time_do_not_both_win(clones: tuple[Path, Path], tmp_path: Path) -> None:
    meet = tmp_path / "meet"
    meet.mkdir()
    outcomes = [outcome(child) for child in [start(root, meet=str(meet)) for root in clones]]
    assert sorted(str(one["verdict"]) for one in outcomes) == ["promoted", "refused"]
    (winner,) = [one for one in outcomes if one["verdict"] == "promoted"]
    (loser,) = [one for one in outcomes if one["verdict"] == "refused"]
    assert "some gain is demanded" in str(loser["reasons"])
    assert loser["champion"] == winner["version"], "judged against the new champion"
    store = open_store()
    assert aliases(store) | {"challenger": ""} == {
        "challenger": "",
        "champion": winner["version"],
        "previous": "1",
    }
    assert [model.name for model in store.client.search_registered_models()] == [NAME]


KILLED = {
    "before the lock": ("create_registered_model", "before", 1),
    "with the lock in hand": ("create_registered_model", "after", 1),
    "with the move noted": ("set_registered_model_tag", "after", 1),
    "between the two aliases": ("set_registered_model_alias", "after", 2),
    "with the champion moved": ("set_registered_model_alias", "after", 3),
    "before the lock is given back": ("delete_registered_model", "before", 1),
}


@pytest.mark.slow
@pytest.mark.system
def test_killed_between_any_two_steps_one_champion_stays_and_the_next_promotion_ends_it(
    clones: tuple[Path, Path],
) -> None:
    store = open_store()
    for case, killed in KILLED.items():
        for alias in ("champion", "previous", "challenger"):
            if alias in aliases(store) and aliases(store)[alias] != "1":
                store.client.delete_registered_model_alias(NAME, alias)
        store.client.set_registered_model_alias(NAME, "champion", "1")
        child = start(clones[0], killed=killed, lease=6.0)
        child.communicate(timeout=180)
        assert child.returncode == -signal.SIGKILL, case
        champion = by_alias(store, NAME, "champion")
        assert champion is not None, case
        over = case in ("with the champion moved", "before the lock is given back")
        assert str(champion.version) == ("2" if over else "1"), case
        assert len(load_checked(NAME, champion).words) == 10
        mended = outcome(start(clones[0]))
        assert mended["champion"] == "2", case
        assert aliases(store) == {"challenger": "2", "champion": "2", "previous": "1"}, case
    assert len(all_versions(store, NAME)) == 2


@pytest.mark.slow
@pytest.mark.system
def test_one_that_was_stopped_for_longer_than_its_lease_does_not_win(clones: tuple[Path, Path]) -> None:
    """It goes on under the lock of another and moves `@champion`; then it gives that back, and is judged anew."""
    store = open_store()
    child = start(clones[0], stopped="champion", lease=1.5)
    try:
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert aliases(store)["champion"] == "1"
        (faster,) = promote_all(clones[1], ["skipgram"])
        assert (faster.decision.verdict, faster.champion, faster.previous) == ("promoted", "3", "1")
        assert load_checked(NAME, store.client.get_model_version_by_alias(NAME, "champion"))
    finally:
        child.send_signal(signal.SIGCONT)
    late = outcome(child)
    assert (late["version"], late["verdict"], late["champion"], late["previous"]) == ("2", "refused", "3", "1")
    assert aliases(store) == {"challenger": "3", "champion": "3", "previous": "1"}
    assert store.client.get_model_version(NAME, "2").tags["firth.verdict"] == "refused"
    assert [model.name for model in store.client.search_registered_models(f"name = '{lock_name(NAME)}'")] == []


@pytest.mark.slow
@pytest.mark.system
def test_a_server_killed_under_the_gate_is_one_error_and_the_next_promotion_goes_on(
    project: ScoredProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, judge = free_port(), promote_module._judge
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    project.train("skipgram", 1)
    with server(project.root / ".firth" / "mlflow", port) as process, pytest.MonkeyPatch.context() as patch:

        def killing(*arguments: object) -> object:
            judged = judge(*arguments)  # type: ignore[arg-type]
            os.killpg(process.pid, signal.SIGKILL)
            until(lambda: not answers(port))
            return judged

        patch.setattr(promote_module, "_judge", killing)
        with pytest.raises(OutageError) as caught:
            promote_all(project.root, ["skipgram"])
    text = str(caught.value)
    assert f"MLflow at http://127.0.0.1:{port} failed (Connection refused); done before: {NAME} version 1 is" in text
    assert "@champion and @previous were not touched. To go on, see that its server runs (`firth up` starts" in text
    assert "\n" not in text
    with pytest.raises(FirthError, match=r"cannot be used: Connection refused; see that its server runs"):
        promote_all(project.root, ["skipgram"])
    with server(project.root / ".firth" / "mlflow", port):
        (promotion,) = promote_all(project.root, ["skipgram"])
        assert promotion.champion == "1"
