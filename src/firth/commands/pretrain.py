"""`firth pretrain`: BERT from a token store, without a project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firth.choices import Size
from firth.errors import ConfigError, FirthError, IntegrityError

if TYPE_CHECKING:
    from firth.bert.architecture import Architecture
    from firth.config.bert import Bert
    from firth.wordpiece.store import TokenStore

MOST_STEPS = 10_000_000
"""Where something else ends the training: the most that the settings allow."""

STAND_INS: dict[Size, str] = {"tiny": "mini", "medium": "small"}
"""Sizes without a preset of their own, and whose they take."""


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="BERT, without a pipeline")(pretrain)


def pretrain(
    tokens: Annotated[Path, typer.Option(help="Token store, as `firth tokenize` or the pipeline writes it.")],
    to: Annotated[Path, typer.Option(help="Model folder to write.")],
    size: Annotated[
        Size | None, typer.Option(help="Size of the model, default mini; without --params also its recipe.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; the warm-up becomes at most a tenth of them.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Train for so many minutes: the rate falls to 0 as they end; only --steps may end it sooner."
        ),
    ] = None,
    token_budget: Annotated[
        int | None,
        typer.Option(min=1, help="Train on so many tokens, padding not counted; only --steps may end it sooner."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="bert.KEY=VALUE", help="Change one setting; repeatable."),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="Take the settings from the section bert of this file.")] = None,
    init: Annotated[
        Path | None, typer.Option(help="Model to go on from: a folder of ours or of Hugging Face's.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Train this model again, by its own settings and, if it was trained by the clock, at the rates that "
            "it recorded for each step: on a CPU the same bytes come out.",
        ),
    ] = None,
    run_folder: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints and metrics; default: beside the model.")
    ] = None,
    find_micro_batch: Annotated[
        bool,
        typer.Option(
            "--find-micro-batch", help="Only find the largest bert.micro_batch that fits into memory; train nothing."
        ),
    ] = False,
) -> None:
    """Pretrain a BERT on a token store: no project, no DVC, no tracker.

    Settings are those of the preset of the size (tiny: mini's, medium: small's), on all cores of this machine or its
    GPU. Started again with the same arguments it goes on from its last checkpoint.
    """
    if replay and (size or steps or minutes or token_budget or set_ or params):
        raise ConfigError(
            "--replay takes all settings from the model: leave out --size, --steps, --minutes, --token-budget, --set "
            "and --params"
        )
    from firth.bert.pretraining.identity import Identity
    from firth.bert.pretraining.outputs import HISTORY, is_result_of, write_outputs
    from firth.bert.pretraining.replay import Recorded
    from firth.bert.pretraining.train import pretrain as train
    from firth.canonical import read_json
    from firth.encode.load import folder_digest, load_model
    from firth.wordpiece.store import TokenStore

    model = load_model(init) if init else None
    positions = model.model.architecture.positions if model else None
    recorded = Recorded.of(replay) if replay else None
    if recorded:
        settings, rates = recorded.settings, recorded.rates
    else:
        settings, rates = settings_of(params, size, steps, set_ or [], positions, minutes, token_budget), None
    digest = folder_digest(init) if init else ""
    if settings.init and not init:
        model, digest = load_model(Path(settings.init)), folder_digest(Path(settings.init))
        if digest != settings.init_sha256:
            raise IntegrityError(f"{settings.init}: sha256 {digest}, but bert.init_sha256 is {settings.init_sha256}")
    store = TokenStore.open(tokens)
    if find_micro_batch:
        _say_micro_batches(store, settings, model.model.architecture if model else None)
        return
    if recorded:
        recorded.check(store, digest)
    identity = Identity.of(store, settings, digest, rates)
    if is_result_of(to, identity):
        print(f"{to} is the result of this very training already")
        _say_figures(read_json(to / HISTORY), to)
        return
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise FirthError(f"{to}: not empty, and not the result of this training; name a new folder")
    runs = run_folder or to.with_name(f"{to.name}.run")
    trained = train(store, settings, runs, lambda _step, _metrics: None, model, digest, rates)
    write_outputs(to, identity, trained)
    millions = trained.bert.model.architecture.parameters() / 1e6
    print(f"{to}: {millions:.1f}M parameters after {trained.steps} steps and {trained.tokens / 1e6:.1f}M tokens")
    if recorded:
        print(recorded.compared(to))
    _say_figures(trained.history, to)
    print(f"{runs} (checkpoints) may go")


def settings_of(
    params: Path | None,
    size: Size | None,
    steps: int | None,
    overrides: Sequence[str],
    positions: int | None = None,
    minutes: float | None = None,
    token_budget: int | None = None,
) -> Bert:
    """The settings that the options amount to; later ones win: file or preset, size, steps, budgets, `--set`.

    `positions` are those of a model to go on from: without a file they are kept.

    Raises:
        ConfigError: an unknown key, one outside of `bert`, or a value that cannot be.
    """
    from firth.config.load import preset_text, with_overrides

    for override in overrides:
        if not override.startswith("bert."):
            raise ConfigError(f"--set {override}: only settings of bert can be set here, such as bert.batch=64")
    if params and not params.is_file():
        raise ConfigError(f"{params}: no such file")
    if params:
        text, where, changes = params.read_text(encoding="utf-8"), str(params), []
    else:
        size = size or "mini"
        preset = STAND_INS.get(size, size)
        text, where, changes = preset_text(preset), f"preset {preset}", _of_this_machine()
    usual = with_overrides(text, [], where)[1].bert
    if size:
        changes.append(f"bert.size={size}")
    if positions and not params:
        changes += [f"bert.positions={positions}", f"bert.length={min(usual.length, positions)}"]
    if steps:
        warmup = min(usual.optimizer.warmup_steps, steps // 10)
        changes += [f"bert.steps={steps}", f"bert.optimizer.warmup_steps={warmup}"]
    if minutes or token_budget:
        changes += [f"bert.minutes={minutes or 0.0}", f"bert.tokens={token_budget or 0}"]
        changes += [] if steps else [f"bert.steps={MOST_STEPS}"]
    return with_overrides(text, [*changes, *overrides], where)[1].bert


def _of_this_machine() -> list[str]:
    """A preset's settings that depend on the machine: all cores; bf16 and torch.compile are for GPUs."""
    import torch

    changes = ["bert.accelerator=auto", f"bert.threads={len(os.sched_getaffinity(0))}"]
    return changes if torch.cuda.is_available() else [*changes, "bert.precision=fp32", "bert.compile=false"]


def _say_micro_batches(store: TokenStore, settings: Bert, architecture: Architecture | None) -> None:
    from firth.bert.pretraining.fitting import largest_micro_batch

    print(f"--set bert.micro_batch={largest_micro_batch(store, settings, architecture)}")
    if settings.second_phase.share:
        print(f"--set bert.second_phase.micro_batch={largest_micro_batch(store, settings, architecture, phase=1)}")


def _say_figures(history: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """The last look at held-out text, and what to do next."""
    looks = [row["heldout"] for row in history if "heldout" in row]
    if looks:
        last = looks[-1]
        gain = last["unigram_loss"] - last["mlm_loss"]
        print(
            f"held-out masked words: {last['mlm_loss']:.3f} nats, {last['mlm_accuracy']:.1%} right; "
            f"guessing by frequency {last['unigram_loss']:.3f} nats, gain {gain:.3f}"
        )
        if last["nsp_accuracy"] is not None:
            print(
                f"held-out next sentences: {last['nsp_accuracy']:.1%} right; always giving the commoner answer "
                f"{last['nsp_majority']:.1%}"
            )
    else:
        print("no held-out text in the token store: nothing was measured on any")
    print(f'next: firth fill --model {folder} "the [MASK] of …"')
    print(f"      firth export {folder} --format hf --to DIR")
