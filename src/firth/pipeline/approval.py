"""A flow run that waits for a person's word on what the gate would promote, given in Prefect's browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prefect import get_run_logger
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import Field

from firth.registry.approval import PENDING, approve
from firth.registry.decisions_page import decisions_page
from firth.registry.promote import Promotion


class Word(RunInput):
    """What the form of a paused run asks."""

    approve: bool = Field(default=False, title="Promote it", description="Left off, it is refused.")
    by: str = Field(default="", title="Your name", description="It goes on record. Empty: the worker's user.")


def asked(promotions: Sequence[Promotion], root: Path, minutes: float) -> list[Promotion]:
    """The same decisions, those that wait for a person answered; the flow run is paused meanwhile.

    Where nobody answers within `minutes`, or these are 0, a decision goes on waiting: `firth approve` answers it, too.
    """
    waits = minutes > 0
    return [_asked(item, root, minutes) if waits and item.decision.verdict == PENDING else item for item in promotions]


def _asked(item: Promotion, root: Path, minutes: float) -> Promotion:
    log = get_run_logger()
    log.info("%s version %s is to be promoted and waits for a person's word: Resume", item.name, item.version)
    form = Word.with_initial_data(description=decisions_page([item]))
    try:
        word = pause_flow_run(wait_for_input=form, timeout=round(60 * minutes), key=f"{item.name}-v{item.version}")
    except FlowPauseTimeout:
        log.warning("%s version %s: nobody has answered in %g minutes; it waits", item.name, item.version, minutes)
        return item
    answer = approve(f"{item.name}/{item.version}", word.approve, word.by, root)
    decision = replace(item.decision, verdict=answer.verdict, reasons=answer.reasons)
    return replace(item, champion=answer.champion, previous=answer.previous, decision=decision, record=answer.record)
