"""`firth evaluate`: what its options mean for the settings, and the table that it prints."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from firth.commands.evaluate_shown import table
from firth.commands.evaluate_ways import settings_of
from firth.commands.task_options import seeds_of
from firth.errors import FirthError


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("protocol", {"protocol": "sane"}), ("protocol", {"protocol": "paper"}), ("ensemble", {"ensemble": True}),
        ("learning-rate", {"learning_rate": 1e-4}), ("epochs", {"epochs": 2}), ("batch", {"batch": 8}),
        ("early-stopping", {"early_stopping": True}),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_an_option_of_fine_tuning_means_that_mode(option: str, values: dict[str, Any]) -> None:
    tuned = {
        key: value for key, value in values.items() if key in ("learning_rate", "epochs", "batch", "early_stopping")
    }
    asked = {key: value for key, value in values.items() if key not in tuned}
    assert settings_of(None, {}, {}).modes == ["frozen"]
    assert settings_of(None, asked, tuned).modes == ["finetuned"]
    assert settings_of(["frozen", "finetuned"], asked, tuned).modes == ["frozen", "finetuned"]
    with pytest.raises(FirthError, match=rf"--{option} is of fine-tuning: leave it out, or --frozen \(--mode frozen\)"):
        settings_of(["frozen"], asked, tuned)


@pytest.mark.usefixtures("folder")
def test_early_stopping_goes_with_a_grid() -> None:
    settings = settings_of(None, {"protocol": "paper"}, {"early_stopping": True})
    assert (settings.protocol, settings.finetuning.early_stopping) == ("paper", True)


@pytest.mark.usefixtures("folder")
def test_bilstms_on_frozen_encoders_have_an_ensemble_too() -> None:
    settings = settings_of(None, {"heads": ["bilstm"], "ensemble": True}, {})
    assert (settings.modes, settings.ensemble) == (["frozen"], True)
    assert settings_of(["frozen"], {"heads": ["linear", "bilstm"], "ensemble": True}, {}).ensemble
    both = {"heads": ["bilstm"], "ensemble": True, "protocol": "sane"}
    assert settings_of(None, both, {}).modes == ["finetuned"]


def test_seeds_are_how_many_or_which() -> None:
    assert seeds_of(None) is None
    assert seeds_of("3") == [1, 2, 3]
    assert seeds_of("1") == [1]
    assert seeds_of("7,") == [7]
    assert seeds_of("5,2") == [5, 2]
    with pytest.raises(FirthError, match=r"--seeds 21: .* 1 to 20; for that very seed write 21,"):
        seeds_of("21")


def row(name: str, scores: list[float | None], score: float = 0.8, tie: bool = False, **more: Any) -> dict[str, Any]:
    """A system with a score, or none where it diverged, for each seed."""
    made = [
        {"seed": seed, "score": one, "collapsed": one == 0.5} | ({"diverged_at": 7} if one is None else {})
        for seed, one in enumerate(scores, 1)
    ]
    return {
        "system": name, "score": score, "low": score - 0.05, "high": score + 0.05, "tie_with_majority": tie,
        "seeds": [one for one in scores if one is not None], "score_is": "median", "runs": made,
    } | more  # fmt: skip


@pytest.mark.parametrize("metric", ["accuracy", "pearson_spearman"])
def test_the_table_fits_a_terminal_of_100_columns(metric: str) -> None:
    systems = [
        row("bert-finetuned", [0.8, 0.81]),
        row("skipgram-finetuned-bilstm", [0.4, 0.55, None], 0.5, tie=True),
        row("reference-bilstm", [0.5, 0.8, None, 0.8, 0.92]),
        row("random-finetuned", [0.8]),
        row("bert-finetuned-ensemble", [], ensemble_of=[1, 2]),
    ]
    for run in systems[2]["runs"]:
        run["epoch"] = 3
    what = "each word's most frequent tag in training, O for a new word"
    stream = io.StringIO()
    results = {"metric": metric, "majority": {"score": 0.5, "what": what}, "systems": systems}
    Console(file=stream, width=100).print(table(results))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 100
    cells = [re.split(r"  +", line.strip()) for line in lines]
    assert [line for line in cells if len(line) in (5, 6) and "[" in line[2]] == [
        ["bert-finetuned", "0.800", "[0.750, 0.850]", "0.800 … 0.810", "median of 2 seeds", "above"],
        ["skipgram-finetuned-bilstm", "0.500", "[0.450, 0.550]", "0.400 … 0.550", "median of 2 seeds", "≈ majority"],
        ["reference-bilstm", "0.800", "[0.750, 0.850]", "0.500 … 0.920", "median of 4 seeds", "above"],
        ["random-finetuned", "0.800", "[0.750, 0.850]", "one seed", "above"],
        ["bert-finetuned-ensemble", "0.800", "[0.750, 0.850]", "ensemble of 2", "above"],
    ]
    assert [line[0] for line in cells if len(line) == 1 and line[0] != "pearson_"] == [
        "that ended", "1 of 3 diverged", "that ended,", "epoch chosen on dev", "1 of 5 collapsed", "1 of 5 diverged",
    ]  # fmt: skip
