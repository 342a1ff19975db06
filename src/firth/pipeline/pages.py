"""The servers' pages that one wants to open."""

from __future__ import annotations

from collections.abc import Iterable

from firth.pipeline.loopback import ask
from firth.pipeline.services import MLFLOW, PREFECT, Service
from firth.tracking.store import EVALUATIONS, EXPERIMENT


def pages(services: Iterable[Service]) -> dict[str, str]:
    """What there is to do in a browser, and where, with the servers among `services` that are up."""
    found: dict[str, str] = {}
    for service in services:
        if service.state != "up" or service.address is None:
            continue
        if service.name == PREFECT:
            found["run the pipeline"] = f"{service.address}/deployments"
        if service.name == MLFLOW:
            for what, name in (("compare trainings", EXPERIMENT), ("compare evaluations", EVALUATIONS)):
                answer = ask(f"{service.address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}")
                if answer is not None:  # before the first one there is none
                    # Asked for in the address, as MLflow otherwise opens on its pages for language-model traces.
                    number = answer["experiment"]["experiment_id"]
                    found[what] = f"{service.address}/#/experiments/{number}?workflowType=machine_learning"
            found["registered models"] = f"{service.address}/#/models"
    return found
