"""One MLflow run for one training: created, or continued where the fingerprint is known already."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from firth.canonical import dumps, read_json, write_json
from firth.config.load import flatten
from firth.lockfile import output_hash
from firth.project import find_root
from firth.tracking.provenance import Surroundings, validation_word
from firth.tracking.sender import Sender
from firth.tracking.store import Store, import_mlflow, open_store
from firth.training.metrics_log import MetricsLog

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_FILE = "mlflow-run.json"
PROVENANCE_FILE = "provenance.json"
INIT = "bert.init"
"""The input that is no output of a stage: the weights of the model that a pretraining goes on from."""
FINGERPRINT_TAG = "firth.fingerprint"
DESCRIBED_TAG = "firth.validation"
FINISH_SECONDS = 60.0
FLOW_RUN_VARIABLES = ("FIRTH_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID")


@dataclass(frozen=True)
class Training:
    """What identifies and describes a training. `inputs` maps its input paths to the digests in its fingerprint.

    An evaluation is described likewise; its run has a `title` of its own.
    """

    stage: str
    fingerprint: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    root: Path = field(default_factory=find_root)
    title: str = ""
    context: Literal["training", "evaluation"] = "training"
    """What the inputs are used for."""

    @property
    def name(self) -> str:
        """The run's name, such as `word2vec-skipgram-1a2b3c4d`."""
        return self.title or f"{self.stage.replace('@', '-')}-{self.fingerprint[:8]}"


class TrainingRun:
    """What a training sees of its run."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    @property
    def run_id(self) -> str | None:
        """MLflow's id; None until the store has answered."""
        return self._sender.run_id

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Queue `metrics` at `step` (corpus words seen; BERT: optimizer steps). Never waits or raises for MLflow."""
        self._sender.put(metrics, step)


@contextmanager
def training_run(
    stage: str,
    fingerprint: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    run_folder: Path,
) -> Iterator[TrainingRun]:
    """Track a training in the current project folder; `run_folder` keeps the run's id for the next attempt.

    What `metrics.jsonl` there holds of earlier attempts is sent, too, where MLflow has not got it.

    The run ends as FINISHED, FAILED (an exception) or KILLED (a signal); points that MLflow did not take by then are
    counted in one line on stderr, and `reconcile` sends them from the files.
    """
    training = Training(stage, fingerprint, params, inputs)
    import_mlflow()
    sender = Sender(lambda: _begin(training, run_folder / RUN_FILE))
    for line in MetricsLog(run_folder).read():  # an attempt before this one may have ended without MLflow
        sender.put(line["metrics"], line["step"])
    sender.start()
    status = "FAILED"
    try:
        yield TrainingRun(sender)
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        _end(sender, status)


def find_run(store: Store, fingerprint: str) -> Run | None:
    """The run of `fingerprint`: the oldest, should two processes have created one at once."""
    found = store.client.search_runs(
        [store.experiment_id],
        filter_string=f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}'",
        order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        max_results=1,
    )
    return found[0] if found else None


def create_run(
    store: Store, training: Training, extra_tags: Mapping[str, str] | None = None, began: int | None = None
) -> Run:
    """A run of `training`; where another process was first, that one's run and none of ours.

    `began` is when it began, in milliseconds; by default now.
    """
    tags = {FINGERPRINT_TAG: training.fingerprint, "firth.stage": training.stage, **(extra_tags or {})}
    tags |= {"mlflow.source.type": "LOCAL", "mlflow.source.name": f"dvc.yaml:{training.stage}"}
    own = store.client.create_run(store.experiment_id, start_time=began, tags=tags, run_name=training.name)
    first = find_run(store, training.fingerprint) or own
    if first.info.run_id != own.info.run_id:
        store.client.delete_run(own.info.run_id)
    return first


def flow_run_id() -> str | None:
    """Id of the flow run that this process works for; None outside of one."""
    return next((os.environ[name] for name in FLOW_RUN_VARIABLES if os.environ.get(name)), None)


def is_described(run: Run) -> bool:
    """Whether `describe` came to its end."""
    return DESCRIBED_TAG in run.data.tags


def describe(store: Store, run_id: str, training: Training, surroundings: Surroundings | None = None) -> None:
    """Log parameters, tags, inputs and provenance; what the run holds already stays as it is.

    `surroundings` are those of the training's root, where they have been read.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param, RunTag

    run = store.client.get_run(run_id)
    around = surroundings or Surroundings.of(training.root)
    record = around.provenance(training.inputs) | {"init_sha256": training.inputs.get(INIT)}
    params = [Param(key, str(value)) for key, value in flatten(training.params).items() if key not in run.data.params]
    tags = {
        DESCRIBED_TAG: validation_word(record["validation"]),
        "firth.git.commit": record["git"]["commit"],
        "firth.git.dirty": str(record["git"]["dirty"]).lower(),
        "mlflow.source.git.commit": record["git"]["commit"],
        **_system(),
    }
    if flow_run := flow_run_id():
        tags["firth.flow_run_id"] = flow_run
    datasets = []
    for path, digest in training.inputs.items():
        dvc = output_hash(around.lock, path)
        dataset = Dataset(
            name=path, digest=dvc or digest[:36], source_type="dvc", source=dumps({"path": path, "sha256": digest})
        )
        datasets.append(DatasetInput(dataset, tags=[InputTag("mlflow.data.context", training.context)]))
    if datasets and not (run.inputs and run.inputs.dataset_inputs):
        store.client.log_inputs(run_id, datasets=datasets)
    store.client.log_dict(run_id, record, PROVENANCE_FILE)
    # The tags come last: a run that has them is described in full.
    store.client.log_batch(run_id, params=params, tags=[RunTag(*item) for item in tags.items()], synchronous=True)


def _begin(training: Training, run_file: Path) -> tuple[Store, str]:
    """Continue the run of this fingerprint, or create one; repeatable."""
    store = open_store(training.root)
    run = _noted_run(store, training, run_file) or find_run(store, training.fingerprint)
    if run is None:
        run = create_run(store, training)
    run_id: str = run.info.run_id
    write_json(run_file, {"run_id": run_id, "tracking_uri": store.uri})
    store.client.update_run(run_id, status="RUNNING")
    describe(store, run_id, training)
    return store, run_id


def _noted_run(store: Store, training: Training, run_file: Path) -> Run | None:
    """The run that an earlier attempt noted, where this store has it and it is not deleted."""
    from mlflow.exceptions import MlflowException

    if not run_file.is_file():
        return None
    noted = read_json(run_file)
    if noted["tracking_uri"] != store.uri:
        return None
    try:
        run = store.client.get_run(noted["run_id"])
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    alive = run.info.lifecycle_stage == "active"
    return run if alive and run.data.tags.get(FINGERPRINT_TAG) == training.fingerprint else None


def _end(sender: Sender, status: str) -> None:
    lost = sender.finish(FINISH_SECONDS)
    problem = sender.error
    if not sender.is_alive() and sender.store is not None and sender.run_id is not None:
        try:
            sender.store.client.set_terminated(sender.run_id, status=status)
        except Exception as error:  # the training's result stands, whatever the tracker says
            problem = str(error).splitlines()[0]
    if lost or problem or sender.is_alive():
        print(
            f"warning: MLflow did not take {lost} points of this run ({problem or 'no answer'}); "
            "the next pipeline run or promotion sends them from the files",
            file=sys.stderr,
            flush=True,
        )


def _system() -> dict[str, str]:
    import psutil

    tags = {
        "system.python": platform.python_version(),
        "system.platform": platform.platform(),
        "system.cpus": str(os.cpu_count()),
        "system.memory_gb": f"{psutil.virtual_memory().total / 1e9:.1f}",
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        tags["system.torch"] = str(torch.__version__)
    return tags
