"""DVC's graph as the flow sees it: order, hints, and one question for what is stale."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.toy_project import replace

from firth.errors import ConfigError, FirthError
from firth.pipeline.graph import Graph, Hints, Project, Stage


def look(root: Path) -> tuple[Graph, set[str]]:
    with Project(root) as project:
        graph = project.graph()
        return graph, project.stale(graph)


def test_stages_come_after_what_they_need_with_hints_from_meta(toy: Path) -> None:
    graph, stale = look(toy)

    assert list(graph.stages) == ["raw@x", "raw@y", "train", "report"]
    assert graph.stages["train"].needs == ("raw@x", "raw@y")
    assert graph.stages["report"].needs == ("train",)
    assert graph.stages["raw@x"].hints == Hints(retries=1, retry_delay_seconds=0.1, cores=1, memory_gb=0.5)
    assert graph.stages["train"].description == "Learn the window"
    assert stale == set(graph.stages)


def test_a_built_project_is_not_stale_and_a_parameter_touches_what_depends_on_it(built: Path) -> None:
    assert look(built)[1] == set()

    replace(built / "params.yaml", "  window: 5", "  window: 6")
    assert look(built)[1] == {"train", "report"}, "report's own inputs have not changed yet, but train will change them"


def test_code_outputs_and_inputs_make_stale(built: Path) -> None:
    (built / "data/report/index.html").unlink()
    assert look(built)[1] == {"report"}

    replace(built / "src/raw.py", "text of", "words of")
    assert look(built)[1] == {"raw@x", "raw@y", "train", "report"}


def test_the_question_does_not_depend_on_the_current_folder(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph, stale = look(built)
    assert list(graph.stages) == ["raw@x", "raw@y", "train", "report"]
    assert stale == set()


def test_an_unknown_hint_names_stage_and_key(toy: Path) -> None:
    replace(toy / "dvc.yaml", "cores: 2", "coers: 2")
    with pytest.raises(ConfigError, match=r"stage train: meta\.coers = 2: .*known: retries"):
        look(toy)


def test_a_cycle_is_refused(toy: Path) -> None:
    replace(toy / "dvc.yaml", "deps: [src/raw.py]", "deps: [src/raw.py, data/report]")
    with pytest.raises(ConfigError, match=r"dvc\.yaml: .*cycle"):
        look(toy)


def test_a_folder_without_dvc_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirthError, match="DVC cannot open it"):
        Project(tmp_path)


GRAPH = Graph(
    {
        name: Stage(name, needs, Hints())
        for name, needs in {"a@1": (), "a@2": (), "b": ("a@1",), "c": ("a@2", "b"), "d": ()}.items()
    }
)


def test_select_takes_what_is_needed_too_and_knows_groups() -> None:
    assert list(GRAPH.select(["b"]).stages) == ["a@1", "b"]
    assert list(GRAPH.select(["a"]).stages) == ["a@1", "a@2"]
    assert GRAPH.select([]) is GRAPH


def test_select_refuses_a_stage_that_is_not_there() -> None:
    with pytest.raises(FirthError, match=r"stage 'a@3' does not exist; did you mean 'a@[12]'"):
        GRAPH.select(["a@3"])
    with pytest.raises(FirthError, match="there are: a@1, a@2, b, c, d"):
        GRAPH.select(["quite else"])


def test_downstream_is_transitive() -> None:
    assert GRAPH.downstream({"a@1"}) == {"a@1", "b", "c"}
    assert GRAPH.downstream(set()) == set()
