"""`up`, `down` and `status`: with real servers where it must be, without where not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest

from firth.canonical import write_json
from firth.errors import FirthError
from firth.pipeline import services
from firth.pipeline.background import TOKEN
from firth.pipeline.loopback import HOST, ask, is_free

FLOW = """
import os, subprocess, sys, time
from pathlib import Path
from prefect import flow

@flow
def hello(out: str, linger: bool = False):
    names = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "PATH", "PYTHONPATH")
    child = 0
    if linger:
        sleep = [sys.executable, "-c", "import time; time.sleep(300)"]
        child = subprocess.Popen(sleep, start_new_session=True).pid
    said = "\\n".join(f"{name}={os.environ[name]}" for name in names)
    Path(out).with_suffix(".part").write_text(f"{said}\\n{child}")
    Path(out).with_suffix(".part").replace(out)
    if linger:
        time.sleep(300)
"""
DEPLOYMENT = """
name: hello
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: {folder}
deployments:
  - name: hello
    entrypoint: flow_file.py:{flow}
    work_pool:
      name: firth
"""


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere.invalid")
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere.invalid/api")
    monkeypatch.setenv("PREFECT_API_KEY", "somebody's")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "flow_file.py").write_text(FLOW, encoding="utf-8")
    (tmp_path / "prefect.yaml").write_text(DEPLOYMENT.format(folder=tmp_path, flow="hello"), encoding="utf-8")
    yield tmp_path
    services.down(tmp_path)


def ours(tokens: set[str]) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(TOKEN) in tokens:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def gone(process: psutil.Process) -> bool:
    """Ended; whoever adopted it may not have collected it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(path: Path, seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.1)
    return path.read_text(encoding="utf-8")


def ask_for_run(address: str, parameters: dict[str, Any]) -> None:
    """As Prefect's own client does: asked again where its database was busy (503), waited for as long."""
    deployment = ask(f"{address}/api/deployments/name/hello/hello", seconds=60)
    body = json.dumps({"parameters": parameters, "state": {"type": "SCHEDULED"}}).encode()
    target = f"{address}/api/deployments/{deployment['id']}/create_flow_run"
    request = urllib.request.Request(target, body, {"Content-Type": "application/json"})
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for attempt in range(6):
        try:
            with straight.open(request, timeout=60):
                return
        except urllib.error.HTTPError as error:
            said = f"{error}: {error.read().decode()}"
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(2**attempt / 4)
    pytest.fail(said)


def test_nothing_runs_at_first(project: Path) -> None:
    assert {one.state for one in services.status(project)} == {"down"}
    assert services.environment(project) == {}
    services.down(project)


def test_a_stale_record_names_nobody(project: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        process = {"name": "Prefect server", "pid": stranger.pid, "created": 1.0, "token": "old", "log": "gone"}
        write_json(project / ".firth/services.json", {"prefect_port": 1, "mlflow_port": 2, "processes": [process]})
        assert {one.state for one in services.status(project)} == {"down"}
        assert services.environment(project) == {}
        services.down(project)
        assert stranger.poll() is None
        assert not (project / ".firth/services.json").exists()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_torn_record_is_named(project: Path) -> None:
    (project / ".firth").mkdir()
    (project / ".firth/services.json").write_text("{", encoding="utf-8")
    with pytest.raises(FirthError, match=r"services\.json: not what `firth up` wrote"):
        services.status(project)
    (project / ".firth/services.json").unlink()


def test_a_given_port_that_is_taken_is_refused_before_anything_starts(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FirthError, match=f"port {port} for Prefect is in use"):
            services.up(project, prefect_port=port)
    assert not (project / ".firth/services.json").exists()


def test_a_project_without_deployments_is_refused(project: Path) -> None:
    (project / "prefect.yaml").unlink()
    with pytest.raises(FirthError, match=r"prefect\.yaml: no such file"):
        services.up(project)


@pytest.mark.system
def test_up_answers_runs_flows_and_down_leaves_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as blocker:  # the usual port is somebody else's: another is chosen, and said
        blocker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection just closed does not hold it
        if is_free(services.MLFLOW_PORT):
            blocker.bind((HOST, services.MLFLOW_PORT))
            blocker.listen()
        up = services.up(project)
    assert up.mlflow_port != services.MLFLOW_PORT
    said = capsys.readouterr().err
    assert f"port {services.MLFLOW_PORT} is in use by something else: MLflow gets {up.mlflow_port}" in said
    assert "Prefect server answers" in said
    assert {one.state for one in services.status(project)} == {"up"}
    tokens = {one.token for one in up.processes}
    listening = [one.laddr for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    for port in (up.prefect_port, up.mlflow_port):
        assert [address.ip for address in listening if address.port == port] == [HOST]

    assert services.up(project) == up  # a second time nothing happens
    assert f"already running: Prefect {up.prefect}" in capsys.readouterr().err
    with pytest.raises(FirthError, match=f"already runs on port {up.prefect_port}"):
        services.up(project, prefect_port=1)

    found = services.environment(project)
    assert found["PREFECT_API_URL"] == f"{up.prefect}/api"
    assert found["MLFLOW_TRACKING_URI"] == up.mlflow

    ask_for_run(up.prefect, {"out": str(project / "first.txt")})
    seen = dict(line.split("=", 1) for line in wait_for(project / "first.txt").splitlines()[:-1])
    assert seen["PREFECT_API_URL"] == f"{up.prefect}/api"
    assert seen["MLFLOW_TRACKING_URI"] == up.mlflow
    assert seen["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert str(project) in seen["PYTHONPATH"].split(os.pathsep)

    ask_for_run(up.prefect, {"out": str(project / "second.txt"), "linger": True})
    child = psutil.Process(int(wait_for(project / "second.txt").splitlines()[-1]))
    services.down(project)
    assert gone(child)
    assert ours(tokens) == []
    assert is_free(up.prefect_port)
    assert is_free(up.mlflow_port)
    assert {one.state for one in services.status(project)} == {"down"}
    assert services.environment(project) == {}


@pytest.mark.system
def test_a_failed_start_says_why_and_leaves_nothing(project: Path) -> None:
    (project / "prefect.yaml").write_text(DEPLOYMENT.format(folder=project, flow="nowhere"), encoding="utf-8")
    before = set(psutil.pids())
    with pytest.raises(FirthError, match=r"(?s)could not be deployed.*nowhere"):
        services.up(project)
    left = [process for process in psutil.process_iter(["cmdline"]) if process.pid not in before]
    assert not [one for one in left if str(project) in " ".join(one.info["cmdline"] or [])]  # None: has ended by now
    assert not (project / ".firth/services.json").exists()
    assert json.dumps([one.state for one in services.status(project)]) == '["down", "down", "down"]'
