"""The flow `pipeline` on a toy project: a real Prefect API, real Git and DVC, stages that take no time."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows.pipeline import pipeline
from tests.support import toy_project
from tests.support.toy_project import dvc, replace, status

from firth.errors import ConfigError
from firth.pipeline.finish import RunFailedError
from firth.pipeline.git import git
from firth.pipeline.plan import Plan, make

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def _toys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return toy_project.make(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def _api() -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def toy(_toys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with dvc.lock and all outputs, in which the flow finds itself."""
    root = Path(shutil.copytree(_toys[1], tmp_path / "clone", symlinks=True))
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return root


@pytest.fixture
def clone(toy: Path, _api: None) -> Path:
    """The clone, and a server that runs are told to."""
    return toy


def states(result: dict[str, Any]) -> dict[str, str]:
    return {each["stage"]: each["state"] for each in result["outcomes"]}


def last_run() -> tuple[dict[str, tuple[str, list[str]]], dict[str, Any]]:
    """Task runs (state, tags) and artifacts of the newest flow run."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    async def ask() -> tuple[Any, Any]:
        async with get_client() as client:
            [run] = await client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)
            tasks = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
            found = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
            return tasks, await client.read_artifacts(artifact_filter=found)

    tasks, artifacts = asyncio.run(ask())
    return {task.name: (task.state.name, sorted(task.tags)) for task in tasks}, {each.key: each for each in artifacts}


def test_the_form_has_bounds_and_descriptions_that_a_server_enforces() -> None:
    fields = pipeline.parameters.model_dump()["properties"]
    assert all(field.get("description") and "default" in field for field in fields.values())
    assert fields["window"]["minimum"] == 0
    assert fields["window"]["type"] == "integer"
    assert fields["preset"]["enum"][0] == fields["preset"]["default"]


def test_a_field_out_of_bounds_is_refused() -> None:
    from prefect.exceptions import ParameterTypeError

    for field in ("window", "bert_steps", "bert_learning_rate"):
        with pytest.raises(ParameterTypeError, match=field):
            pipeline.validate_parameters({field: -1})
    with pytest.raises(ParameterTypeError, match="bert_size"):
        pipeline.validate_parameters({"bert_size": "huge"})


@pytest.mark.usefixtures("toy")
def test_every_field_is_a_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field changes exactly the parameter that it names."""
    asked: list[Plan] = []

    class Stop(Exception):
        pass

    def stop(*arguments: Any) -> Plan:
        asked.append(make(*arguments))
        raise Stop

    monkeypatch.setattr("firth.pipeline.plan.make", stop)
    with pytest.raises(Stop):
        pipeline.fn(window=7, dim=50, negatives=3, skipgram_epochs=2, skipgram_learning_rate=0.5, cbow_epochs=4,
                    cbow_learning_rate=0.25, bert_size="tiny", bert_steps=500, bert_batch=16, bert_learning_rate=0.002,
                    overrides=["word2vec.sample=0.01"])  # fmt: skip
    word2vec = asked[0].params.word2vec
    assert (word2vec.window, word2vec.dim, word2vec.negatives, word2vec.sample) == (7, 50, 3, 0.01)
    assert (word2vec.skipgram.epochs, word2vec.skipgram.learning_rate) == (2, 0.5)
    assert (word2vec.cbow.epochs, word2vec.cbow.learning_rate) == (4, 0.25)
    bert = asked[0].params.bert
    assert (bert.size, bert.steps, bert.batch, bert.optimizer.learning_rate) == ("tiny", 500, 16, 0.002)
    assert len(asked[0].changes) == 12


@pytest.mark.system
def test_what_is_up_to_date_is_shown_as_such_without_a_worktree(clone: Path) -> None:
    result = pipeline()

    assert set(states(result).values()) == {"up to date"}
    assert result["applied"]
    assert result["experiment"] is None
    assert not (clone / ".firth" / "worktrees").exists()
    tasks, _artifacts = last_run()
    assert {name: state for name, (state, _tags) in tasks.items()} == dict.fromkeys(states(result), "UpToDate")
    assert tasks["train"][1] == ["cores: 2", "memory: 1 GB"]


@pytest.mark.system
def test_a_changed_parameter_runs_what_depends_on_it_and_comes_home(clone: Path) -> None:
    replace(clone / "params.yaml", "  window: 5", "  window: 6")

    result = pipeline()

    assert states(result) == {"raw@x": "up to date", "raw@y": "up to date", "train": "done", "report": "done"}
    assert result["applied"]
    assert dvc(clone, "status") == "Data and pipelines are up to date.\n"
    assert (clone / "data/report/index.html").read_text() == "<p>window 6"
    assert list((clone / ".firth" / "worktrees").glob("*/")) == []
    _tasks, artifacts = last_run()
    assert "| training loss | 0.6000 |" in artifacts["scores"].data
    assert f"dvc exp apply {result['run']}" in artifacts["scores"].data


@pytest.mark.system
def test_a_run_with_an_override_leaves_the_clone_as_it_is_and_the_same_again_is_restored(clone: Path) -> None:
    first = pipeline(window=8)
    second = pipeline(overrides=["word2vec.window=8"])

    assert states(first)["train"] == "done"
    assert states(second)["train"] == "restored", "DVC remembers the run in the clone's cache"
    assert not first["applied"]
    assert status(clone) == ""
    assert first["run"] != second["run"]
    assert git(clone, "show", f"{first['experiment']}:params.yaml").count(b"window: 8") == 1


@pytest.mark.system
def test_a_failed_stage_has_its_message_and_stops_what_needs_it(clone: Path) -> None:
    with pytest.raises(RunFailedError, match=r"^train: window 13 is unlucky\n  choose another$") as caught:
        pipeline(window=13)
    ended = {name: outcome.state for name, outcome in caught.value.outcomes.items()}
    assert ended == {"raw@x": "up to date", "raw@y": "up to date", "train": "failed", "report": "not run"}
    assert status(clone) == ""
    [kept] = (clone / ".firth" / "worktrees").glob("*/")
    assert kept.is_dir(), "one may look at it, until `firth gc`"


@pytest.mark.system
@pytest.mark.parametrize(("words", "attempts"), [("error", 1), ("error (may pass)", 2), ("Traceback", 2)])
def test_only_what_may_pass_is_tried_again(clone: Path, tmp_path: Path, words: str, attempts: int) -> None:
    tried = tmp_path / "tried"
    note = f"import sys; open({str(tried)!r}, 'a').write(sys.argv[1]); print({words!r} + ': no', file=sys.stderr); "
    replace(clone / "src/raw.py", "import pathlib, sys", f"{note}sys.exit(1)")
    with pytest.raises(RunFailedError, match=r"raw@x: .*no"):
        pipeline(stages=["raw@x"], promote=False)
    assert tried.read_text() == "x" * attempts


@pytest.mark.system
def test_what_ended_well_before_a_failure_is_kept(clone: Path) -> None:
    replace(clone / "params.yaml", "  min_count: 5", "  min_count: 6")
    replace(clone / "params.yaml", "  window: 5", "  window: 13")
    with pytest.raises(RunFailedError):
        pipeline()
    said = dvc(clone, "status")
    assert "raw@x" not in said
    assert "train" in said
    assert (clone / "data/model/model.txt").read_text() == "window 5", "earlier outputs are intact"


@pytest.mark.system
def test_a_wrong_key_starts_nothing(clone: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'window'"):
        pipeline(overrides=["word2vec.windw=3"])
    assert not (clone / ".firth" / "worktrees").exists()


@pytest.mark.system
def test_stages_can_be_chosen(clone: Path) -> None:
    result = pipeline(window=9, stages=["train"])
    assert states(result) == {"raw@x": "up to date", "raw@y": "up to date", "train": "done"}
