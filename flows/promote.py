"""The flow `promote`: register what was trained, decide by the gate, move the champions. Wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from firth.project import find_root
from firth.registry.promote import promote_all
from firth.registry.show import decisions_markdown

ALL_MODELS: list[Literal["skipgram", "cbow"]] = ["skipgram", "cbow"]


@flow(name="promote", flow_run_name="promote-{models}", persist_result=False)
def promote(
    models: Annotated[
        list[Literal["skipgram", "cbow"]], Field(min_length=1, description="Models to decide about.")
    ] = ALL_MODELS,
    folder: Annotated[str, Field(description="Project folder whose data/vectors is judged; empty: this one.")] = "",
) -> list[dict[str, Any]]:
    """Decide whether the trained vectors become champions, by the policy in `params.yaml`; the decisions as JSON."""
    log = get_run_logger()
    root = Path(folder) if folder else find_root()
    promotions = promote_all(root, models)
    for item in promotions:
        log.info(
            "%s version %s: %s (%s)", item.name, item.version, item.decision.verdict, "; ".join(item.decision.reasons)
        )
    create_markdown_artifact(decisions_markdown(promotions), key="promotion", description="Decisions of the gate")
    return [item.data() for item in promotions]


if __name__ == "__main__":
    promote()
