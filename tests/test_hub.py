"""Rows of the hub as pinned files: fetched once, classes by their names, other rows than the pinned ones refused."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from firth import hub
from firth.errors import DataError, FirthError, IntegrityError

FEATURES = datasets.Features(
    {
        "sentence": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["bad", "good"]),
        "score": datasets.Value("float32"),
        "tags": datasets.List(datasets.ClassLabel(names=["O", "B-PER"])),
        "answers": {
            "text": datasets.List(datasets.Value("string")),
            "answer_start": datasets.List(datasets.Value("int32")),
        },
        "seen": datasets.Value("timestamp[s]"),
    }
)  # fmt: skip
ROW = {
    "sentence": "Ann\u2028é", "label": 1, "score": 3.8, "tags": [1, 0], "answers": {"text": ["a"], "answer_start": [0]},
    "seen": None,
}  # fmt: skip

Served = Callable[..., list[Any]]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Puts rows in the hub's place; what was asked for is noted."""
    monkeypatch.setenv("FIRTH_STATE", str(tmp_path / "state"))

    def serve(rows: list[dict[str, Any]], features: datasets.Features | None = FEATURES) -> list[Any]:
        asked: list[Any] = []

        def load_dataset(*names: Any, **options: Any) -> Any:
            asked.append((names, options))
            if not rows:
                return []
            return datasets.Dataset.from_list(rows, features=features).to_iterable_dataset()

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    return serve


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_rows_are_written_with_the_names_of_their_classes(served: Served) -> None:
    asked = served([ROW | {"seen": datetime.datetime(2020, 1, 1)}, ROW | {"label": -1}])
    path = hub.fetch_rows("a/b", "c", "train", "abc")
    assert asked == [(("a/b", "c"), {"split": "train", "revision": "abc", "streaming": True})]
    first, second = lines(path)
    assert first == {
        "sentence": "Ann\u2028é", "label": "good", "score": 3.8, "tags": ["B-PER", "O"],
        "answers": {"text": ["a"], "answer_start": [0]},
    }  # fmt: skip
    assert second["label"] is None
    assert '"score": 3.8,' in path.read_text(encoding="utf-8")


def test_pinned_rows_are_fetched_once_and_other_ones_refused(served: Served) -> None:
    served([ROW])
    path = hub.fetch_rows("a/b", None, "train", "abc")
    asked = served([ROW | {"sentence": "another"}])
    assert hub.fetch_rows("a/b", None, "train", "abc", path.stem) == path
    assert not asked
    path.write_text("torn")
    with pytest.raises(IntegrityError, match=rf"a/b, train: the hub's rows have the sha256 .* pin {path.stem}"):
        hub.fetch_rows("a/b", None, "train", "abc", path.stem)
    assert not list(path.parent.glob("part-*"))
    served([ROW])
    assert lines(hub.fetch_rows("a/b", None, "train", "abc", path.stem))[0]["sentence"] == ROW["sentence"]


def test_rows_that_cannot_be_used_are_said(served: Served) -> None:
    served([], FEATURES)
    with pytest.raises(DataError, match=r"a/b \(c\), dev: holds no row"):
        hub.fetch_rows("a/b", "c", "dev", "abc")
    served([{"when": datetime.datetime(2020, 1, 1)}], None)
    with pytest.raises(DataError, match=r"no column of texts or numbers; there are: when"):
        hub.fetch_rows("a/b", None, "dev", "abc")


def test_a_revision_is_the_commit_that_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    class Found:
        sha: str | None = "0123abcd"

    seen: list[Any] = []

    def info(self: Any, name: str, revision: str | None = None) -> Found:
        seen.append((name, revision))
        return Found()

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    assert hub.newest_revision("a/b", "main") == "0123abcd"
    assert seen == [("a/b", "main")]
    Found.sha = None
    with pytest.raises(FirthError, match="a/b: the hub names no revision; say which: a/b@COMMIT"):
        hub.newest_revision("a/b")


def test_without_a_network_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FirthError, match=r"^a/b: the Hugging Face hub cannot be reached \(.*offline"):
        hub.newest_revision("a/b")


def test_a_name_that_no_server_has_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2
    import huggingface_hub

    def info(*_: Any, **__: Any) -> None:
        raise httpx2.ConnectError("[Errno -2] Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    with pytest.raises(FirthError, match=r"^a/b: the Hugging Face hub cannot be reached \(.*Name or service not known"):
        hub.newest_revision("a/b")
