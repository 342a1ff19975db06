"""The flow `promote`: register what was trained, decide by the gate, move the champions. Wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from firth.config.evaluation import GateModel
from firth.pipeline import approval
from firth.project import find_root
from firth.registry.promote import promote_all
from firth.registry.show import decisions_markdown

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
    promotions = approval.asked(promote_all(root, models), root, wait_minutes)
    for item in promotions:
        log.info(
            "%s version %s: %s (%s)", item.name, item.version, item.decision.verdict, "; ".join(item.decision.reasons)
        )
    create_markdown_artifact(decisions_markdown(promotions), key="promotion", description="Decisions of the gate")
    return [item.data() for item in promotions]


if __name__ == "__main__":
    promote()
