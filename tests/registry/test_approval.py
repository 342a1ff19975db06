"""A person's word on what the gate would promote: yes, no, too late, and after all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small_registry as small
from scored_project import GOOD, ScoredProject

from firth.errors import FirthError, IntegrityError
from firth.registry import approval as module
from firth.registry import rollback as rollback_module
from firth.registry.approval import approve
from firth.registry.promote import Promotion, promote_all
from firth.registry.rollback import rollback
from firth.registry.show import registered
from firth.tracking.store import Store, open_store

NAME = "word2vec-skipgram"
BETTER = GOOD | {"wordsim353": 0.55}
BEST = GOOD | {"wordsim353": 0.6}


def promote(project: ScoredProject) -> Promotion:
    (promotion,) = promote_all(project.root, ["skipgram"])
    return promotion


@pytest.fixture
def waiting(project: ScoredProject) -> ScoredProject:
    """A champion, and a better version 2 that waits."""
    project.train("skipgram", 1)
    promote(project)
    project.change("gate.approval=true")
    project.train("skipgram", 2, BETTER)
    assert promote(project).decision.verdict == "pending"
    return project


def aliases(store: Store) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model(NAME).aliases.items()}


def record(store: Store) -> dict[str, object]:
    run = store.client.get_model_version(NAME, "2").run_id
    path = sorted(item.path for item in store.client.list_artifacts(run, "promotion"))[-1]
    found: dict[str, object] = json.loads(Path(store.client.download_artifacts(run, path)).read_text(encoding="utf-8"))
    return found


def test_what_would_be_promoted_waits_and_says_for_what(waiting: ScoredProject) -> None:
    again = promote(waiting)
    assert (again.decision.verdict, again.champion) == ("pending", "1")
    assert again.decision.reasons[-1] == f"waits for a person: firth approve {NAME}/2"
    store = open_store(waiting.root)
    assert aliases(store) == {"challenger": "2", "champion": "1"}
    assert record(store)["verdict"] == "pending"
    assert [row.verdict for row in registered()] == ["pending", "promoted"]


def test_a_refusal_by_the_gate_needs_nobody(waiting: ScoredProject) -> None:
    waiting.train("skipgram", 3, GOOD | {"wordsim353": 0.4})
    assert promote(waiting).decision.verdict == "refused"
    with pytest.raises(FirthError, match="version 3 waits for no approval: it is refused"):
        approve(f"{NAME}/3")


def test_approved_it_is_champion_and_who_said_so_is_on_record(waiting: ScoredProject) -> None:
    answer = approve(f"{NAME}@challenger", by="Ada")
    assert (answer.verdict, answer.by, answer.champion, answer.previous) == ("promoted", "Ada", "2", "1")
    store = open_store(waiting.root)
    assert aliases(store) == {"challenger": "2", "champion": "2", "previous": "1"}
    kept = record(store)
    assert (kept["verdict"], kept["approval"]["approved"], kept["approval"]["by"]) == ("promoted", True, "Ada")  # type: ignore[index]
    assert kept["evidence"], "what the gate saw stays"
    version = store.client.get_model_version(NAME, "2")
    assert version.tags["firth.verdict"] == "promoted"
    assert "wordsim353 rose from 0.5000 to 0.5500" in version.tags["firth.reasons"]
    assert "waits for a person" not in version.tags["firth.reasons"] + version.description
    assert "**Decision**: promoted" in version.description
    assert "- approved by Ada at 20" in version.description
    assert "\n- Static vectors" in version.description.partition("**Limits**\n")[2]
    with pytest.raises(FirthError, match="waits for no approval: it is promoted"):
        approve(f"{NAME}/2")


def test_refused_it_stays_refused_until_it_is_approved_after_all(waiting: ScoredProject) -> None:
    assert approve(f"{NAME}/2", yes=False, by="Ada").champion == "1"
    refused = promote(waiting)
    assert refused.decision.verdict == "refused"
    assert "version 2 was not approved (by Ada at 20" in refused.decision.reasons[0]
    with pytest.raises(FirthError, match="waits for no approval: it is refused"):
        approve(f"{NAME}/2", yes=False)
    assert approve(f"{NAME}/2").champion == "2"
    assert promote(waiting).decision.verdict == "unchanged"


def test_an_approval_against_another_champion_is_too_late(waiting: ScoredProject) -> None:
    waiting.train("skipgram", 3, BEST)
    promote(waiting)
    approve(f"{NAME}/3")
    with pytest.raises(
        FirthError, match="the champion is version 3, the decision about version 2 was against version 1"
    ):
        approve(f"{NAME}/2")
    assert aliases(open_store(waiting.root))["champion"] == "3"


def test_altered_weights_are_not_approved(waiting: ScoredProject) -> None:
    for path in (waiting.root / ".firth" / "mlflow" / "artifacts").rglob("vectors.safetensors"):
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(IntegrityError, match="version 2: the stored weights"):
        approve(f"{NAME}/2")
    assert aliases(open_store(waiting.root))["champion"] == "1"


def test_the_first_champion_waits_too(project: ScoredProject) -> None:
    project.change("gate.approval=true")
    project.train("skipgram", 1)
    assert promote(project).champion is None
    assert approve(f"{NAME}/1").champion == "1"


@pytest.fixture
def small_store(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Champion 2, previous 1, and a better version 3 that waits; no files."""
    for used in (module, rollback_module):
        monkeypatch.setattr(used, "load_checked", lambda name, version: None)
    small.short_leases(monkeypatch)
    store = open_store(project.root)
    small.fill(store)
    small.decide(store, "3", "pending", "2")
    return store


def test_of_a_yes_and_a_no_at_once_one_counts(small_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob has seen that it waits; before he has the lock, Ada has approved it."""
    moving, first = module.moving, []

    def after_ada(store: Store, name: str) -> object:
        if not first:
            first.append("Ada")
            approve(f"{NAME}/3", by="Ada")
        return moving(store, name)

    monkeypatch.setattr(module, "moving", after_ada)
    with pytest.raises(FirthError, match="version 3 waits for no approval: it is promoted"):
        approve(f"{NAME}/3", yes=False, by="Bob")
    assert small.aliases(small_store) == ("3", "2")
    tags = small.tags(small_store, "3")
    assert tags["firth.verdict"] == "promoted"
    assert "firth.not_approved" not in tags


@pytest.mark.slow
def test_an_approval_killed_at_any_step_is_given_again(small_store: Store) -> None:
    for step in range(40):
        small.clear_locks(small_store)
        small.set_aliases(small_store, "2", "1")
        small.decide(small_store, "3", "pending", "2")
        small_store.client.delete_registered_model_tag(NAME, "firth.move")
        with small.stops_at(step) as made:
            try:
                approve(f"{NAME}/3", by="Ada")
            except small.Killed:
                pass
            else:
                break
        assert small.aliases(small_store)[0] in ("2", "3"), made
        try:
            assert approve(f"{NAME}/3", by="Ada").champion == "3", made
        except FirthError as error:
            assert "it is promoted" in str(error), made  # it was over but for the lock
        assert small.aliases(small_store) == ("3", "2"), made
        assert small.tags(small_store, "3")["firth.verdict"] == "promoted"
    else:
        pytest.fail("it never ends")


def test_whom_an_older_firth_left_promoted_and_no_champion_is_approved_again(small_store: Store) -> None:
    version = small_store.client.get_model_version(NAME, "3")
    said = {"verdict": "promoted", "reasons": [], "champion_before": "2", "approval": {"approved": True, "by": "Ada"}}
    module.verdicts.keep(small_store, version, said)
    module.verdicts.say(small_store, version, "promoted", [])
    assert approve(f"{NAME}/3").champion == "3"
    rollback(NAME)
    with pytest.raises(FirthError, match="waits for no approval: it is promoted"):
        approve(f"{NAME}/3")


def test_every_word_has_a_record_of_its_own(small_store: Store) -> None:
    approve(f"{NAME}/3", yes=False, by="Bob")
    approve(f"{NAME}/3", by="Ada")
    run = small_store.client.get_model_version(NAME, "3").run_id
    records = sorted(item.path for item in small_store.client.list_artifacts(run, "promotion"))
    assert records == [f"promotion/{NAME}-v3-{number:03}.json" for number in (1, 2, 3)]
    texts = [Path(small_store.client.download_artifacts(run, path)).read_text(encoding="utf-8") for path in records]
    assert [json.loads(text)["verdict"] for text in texts] == ["pending", "refused", "promoted"]
