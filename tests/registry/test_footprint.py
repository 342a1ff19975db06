"""What a model costs: bytes of its files, milliseconds of an answer."""

from __future__ import annotations

import pytest
from scored_project import ScoredProject

from firth.registry.footprint import footprint


@pytest.mark.parametrize("model", ["skipgram", "bert"])
def test_size_and_time_of_each_kind(project: ScoredProject, model: str) -> None:
    if model == "bert":
        project.pretrain(1)
        folder = project.root / "data" / "models" / "bert"
    else:
        project.train("skipgram", 1)
        folder = project.root / "data" / "vectors" / "skipgram"
    before = footprint(model, folder, timed=False)
    assert before.milliseconds is None
    (folder / "more").write_bytes(bytes(2_000_000))
    after = footprint(model, folder, timed=True)
    assert after.megabytes == pytest.approx(before.megabytes + 2.0)
    assert after.milliseconds is not None
    assert 0.0 < after.milliseconds < 10_000
