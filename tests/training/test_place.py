"""Where a process stands, by the variables of torchrun and srun."""

import pytest

from firth.errors import ConfigError
from firth.training.place import Place, place_of

TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "gpu1",
    "MASTER_PORT": "29400",
}  # fmt: skip
SRUN = {
    "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "gpu[07-08]", "SLURM_JOB_ID": "10042", "SLURM_STEP_ID": "1",
}  # fmt: skip


def test_alone_or_the_first_of_its_own():
    assert place_of(1, {}) == Place()
    assert place_of(4, {}) == Place(0, 4, 0, 4, "")
    assert place_of(4, {}).first


def test_one_process_that_torchrun_started_starts_the_others():
    assert place_of(2, TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1"}) == Place(0, 2, 0, 2, "")


def test_torchrun():
    assert place_of(8, TORCHRUN) == Place(5, 8, 1, 4, "env://")
    bare = {name: TORCHRUN[name] for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")}
    assert place_of(8, bare) == Place(5, 8, 0, 1, "env://")


def test_srun():
    assert place_of(8, SRUN) == Place(5, 8, 1, 4, "gpu07:15043")
    assert place_of(8, SRUN | {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "7"}).address == "10.0.0.1:7"
    batch_script = {"SLURM_PROCID": "0", "SLURM_JOB_ID": "1", "SLURM_NTASKS": "8"}
    assert place_of(8, batch_script) == Place(0, 8, 0, 8, "")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu7", "gpu7"),
        ("gpu7,gpu9", "gpu7"),
        ("gpu[03-05,9],cpu1", "gpu03"),
        ("cpu1,gpu[03-05]", "cpu1"),
        ("rack[1,3]-ib,x", "rack1-ib"),
    ],
)
def test_the_first_host_of_a_job_step(nodes, first):
    assert place_of(8, SRUN | {"SLURM_STEP_NODELIST": nodes}).address == f"{first}:15043"


@pytest.mark.parametrize(
    ("devices", "environment", "said"),
    [
        (2, TORCHRUN, r"bert\.devices is 2, but 8 processes"),
        (1, SRUN, r"bert\.devices is 1, but 8 processes"),
        (8, TORCHRUN | {"RANK": "x"}, "not what they should be"),
        (8, {"RANK": "0", "WORLD_SIZE": "8"}, "MASTER_ADDR and MASTER_PORT are not"),
    ],
)
def test_what_does_not_fit_is_said(devices, environment, said):
    with pytest.raises(ConfigError, match=said):
        place_of(devices, environment)
