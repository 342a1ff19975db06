"""Progress: rate and time left in a log, no rate earned by work that was done before a resume."""

import io

import pytest
from rich.console import Console

from firth import progress
from firth.progress import Meter, compact, duration, step, track


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0"), (87, "87"), (312_400, "312k"), (1_970_000, "1.97M"), (2.5e9, "2.5G")]
)
def test_numbers_are_short(number: float, said: str) -> None:
    assert compact(number) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (42, "0:42"), (3729, "1:02:09"), (-1, "0:00")])
def test_durations_are_short(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_log_gets_stage_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Meter("word2vec", 1000, "words") as meter:
        meter.resume_at(500)
        now[0] = 10.0
        meter.advance(250, "loss 0.31")
        now[0] = 12.0
        meter.advance(250)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "word2vec: 750 of 1k words (75%), 25 words/s, left 0:10, loss 0.31"
    assert lines[-1] == "word2vec: 1k of 1k words (100%), 41.7 words/s, took 0:12, loss 0.31"


def test_a_time_budget_is_shown_as_what_is_used_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Meter("bert", None, "tokens", seconds=1500.0) as meter:
        meter.resume_at(5000, used=60.0)
        now[0] = 10.0
        meter.advance(2500, "loss 0.31", used=70.0)
        assert meter.left == 1430.0
        now[0] = 12.0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "bert: 7.5k tokens, 250 tokens/s, 1:10 of 25:00 (5%), loss 0.31"
    assert lines[-1] == "bert: 7.5k tokens, 208 tokens/s, took 0:12, loss 0.31"


def test_what_is_expected_may_change(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Meter("bert", 1000, "tokens") as meter:
        assert meter.left is None
        now[0] = 10.0
        meter.expect(800)
        meter.advance(400)
        assert meter.left == 10.0
        meter.advance(400)
    assert "800 of 800 tokens (100%)" in capsys.readouterr().err


def test_a_terminal_has_a_bar_with_rate_and_note(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    console = Console(file=stream, force_terminal=True, width=160)
    monkeypatch.setattr(progress, "_console", lambda: console)
    for budget in (None, 60.0):
        with Meter("bert", 1000, "tokens", budget) as meter:
            meter.resume_at(500, used=30.0)
            meter.advance(250, "loss 0.31", used=45.0)
        shown = stream.getvalue()
        assert "75%" in shown
        assert "tokens/s" in shown
        assert "loss 0.31" in shown
        stream.truncate(0)


def test_a_failed_step_does_not_say_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), step("writing"):
        raise RuntimeError
    assert "done" not in capsys.readouterr().err


def test_track_yields_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert "3 of 3 items (100%)" in capsys.readouterr().err
