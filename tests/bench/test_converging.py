"""The table and the figure of a training, from what a finished and a running one leave."""

import json
from pathlib import Path

import pytest
from bench.converging import draw, main, read, table

from firth.errors import DataError

LOOKS = {100: (6.9, 0.50), 200: (6.5, 0.58)}


def heldout(step: int) -> dict[str, float]:
    loss, accuracy = LOOKS[step]
    return {
        "mlm_loss": loss, "unigram_loss": 7.0, "mlm_accuracy": 0.1, "nsp_accuracy": accuracy, "instances": 2000,
        "nsp_majority": 0.51,
    }  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """As a model folder holds it."""
    rows = [
        {"step": s, "mlm_loss": 7.5 - s / 200, **({"heldout": heldout(s)} if s in LOOKS else {})}
        for s in range(50, 201, 50)
    ]
    path = tmp_path / "history.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """The same, as a run writes it."""
    rows = []
    for step in range(50, 201, 50):
        found = {"train/mlm_loss": 7.5 - step / 200}
        if step in LOOKS:
            found |= {f"heldout/{k}": v for k, v in heldout(step).items() if k not in ("instances", "nsp_majority")}
        rows.append(json.dumps({"step": step, "metrics": found}))
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_both_forms_hold_the_same_curves(history: Path, metrics: Path) -> None:
    first, second = read(history, 2000), read(metrics, 2000)
    assert first.loss == second.loss == [(50, 7.25), (100, 7.0), (150, 6.75), (200, 6.5)]
    assert first.looks == second.looks
    assert first.guessing[0] > second.guessing[0], "only the history knows that one answer is commoner"


def test_the_table_says_what_is_no_better_than_guessing(history: Path) -> None:
    training = read(history, 2000)
    early, late = table(training.looks, training.guessing).splitlines()[2:4]
    assert early == "| 100 | 6.900 | 0.100 | 10.0% | 50.0% (chance) |"
    assert late == "| 200 | 6.500 | 0.500 | 10.0% | 58.0% |"


def test_the_figure_is_the_same_bytes_each_time(history: Path, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(read(history, 2000), tmp_path / name)
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    assert "6.500" in drawn
    assert "58.0%" in drawn


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not looked at held-out text"),
        ('[{"loss": 1}]', "held-out"),
        ("{", "no history"),
        ('[{"heldout": {"mlm_loss": 1}}]', "no history"),
    ],
)
def test_no_history(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "history.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read(path, 2000)


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["converging", str(history), "--json", str(tmp_path / "looks.json")])
    main()
    assert "Guessing the next sentence comes to" in capsys.readouterr().out
    assert [look["step"] for look in json.loads((tmp_path / "looks.json").read_text())] == [100, 200]
