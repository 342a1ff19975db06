"""The flow `promote`: register what was trained, decide by the gate, move the champions. Wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, runtime
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from firth.config.evaluation import GateModel
from firth.pipeline import approval
from firth.project import find_root
from firth.registry.decisions_page import decisions_page
from firth.registry.promote import SomeFailedError, promote_all

ALL_MODELS: list[GateModel] = ["skipgram", "cbow", "bert"]


@flow(name="promote", persist_result=False)
def promote(
    models: Annotated[list[GateModel], Field(min_length=1)] = ALL_MODELS,
    folder: str = "",
    wait_minutes: Annotated[float, Field(ge=0.0, le=10_080.0)] = 60.0,
) -> list[dict[str, Any]]:
    """Decide by the policies in `params.yaml` whether the trained models become champions; the decisions as JSON.

    Args:
        models: Models to decide about.
        folder: Project folder whose data/vectors and data/models are judged; empty for this one.
        wait_minutes: How long to wait, paused, for a person's word where gate.approval asks for one. 0: not at all.
    """
    log = get_run_logger()
    root = Path(folder) if folder else find_root()
    failed = None
    try:
        decided = promote_all(root, models, str(runtime.flow_run.id))
    except SomeFailedError as error:  # what was decided is shown first
        decided, failed = list(error.done), error
    promotions = approval.asked(decided, root, wait_minutes)
    for item in promotions:
        log.info(
            "%s version %s: %s (%s)", item.name, item.version, item.decision.verdict, "; ".join(item.decision.reasons)
        )
    page = decisions_page(promotions, failed.failed if failed else {})
    create_markdown_artifact(page, key="promotion", description="Decisions of the gate")
    if failed is not None:
        raise failed
    return [item.data() for item in promotions]


if __name__ == "__main__":
    promote()
