"""`make observe`: starts, prints its URLs, stops on a signal, and reports a missing program in one line."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.tests.monitoring import prometheus
from deploy.tests.monitoring.rule_files import ROOT, RULE_FILES, rules
from tools.processes.service import free_port, listens

pytestmark = pytest.mark.verify

COMMAND = [sys.executable, "-m", "deploy.monitoring.observe"]
needs_both = pytest.mark.program("prometheus", "prometheus-alertmanager")


@contextmanager
def observing(folder: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The command on free ports, ended by its id at the latest; and its environment."""
    names = ("GATEWAY_PORT", "USERS_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")
    ports = {name: str(free_port()) for name in names}
    environment = {**os.environ, "DATA_DIR": str(folder / "a path"), **ports, **settings}
    process = subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, environment
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


@needs_both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_runs_until_a_signal_and_leaves_no_busy_port(tmp_path: Path, signum: signal.Signals) -> None:
    with observing(tmp_path) as (process, environment):
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert any(f"http://127.0.0.1:{environment['PROMETHEUS_PORT']}/graph" in line for line in said)
        url = f"http://127.0.0.1:{environment['PROMETHEUS_PORT']}"
        groups = prometheus.get(url, "rules")["groups"]
        deadline = time.monotonic() + 30
        while not (targets := prometheus.get(url, "targets")["activeTargets"]) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert sum(len(group["rules"]) for group in groups) == sum(len(rules(path)) for path in RULE_FILES)
        assert {(target["labels"]["service"], target["labels"]["instance"]) for target in targets} == {
            ("api-gateway", f"127.0.0.1:{environment['GATEWAY_PORT']}"),
            ("user-service", f"127.0.0.1:{environment['USERS_PORT']}"),
        }
        process.send_signal(signum)
        assert process.wait(30) == 0
    assert not listens(int(environment["PROMETHEUS_PORT"]))
    assert not listens(int(environment["ALERTMANAGER_PORT"]))


@needs_both
def test_a_port_in_use_is_one_line_and_nothing_is_left_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with observing(tmp_path, PROMETHEUS_PORT=port) as (process, environment):
            _, said = process.communicate(timeout=30)
        assert process.returncode == 1
        assert (
            said == f"error: port {port} is in use: stop what listens there, or set PROMETHEUS_PORT to another port\n"
        )
        assert not listens(int(environment["ALERTMANAGER_PORT"]))


def test_a_missing_prometheus_is_one_line_with_the_cure(tmp_path: Path) -> None:
    with observing(tmp_path, PATH=str(tmp_path)) as (process, _):
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.startswith("error: prometheus-alertmanager is not installed: install it (Debian: apt-get install")
    assert said.count("\n") == 1


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_one_line(tmp_path: Path, port: str) -> None:
    with observing(tmp_path, USERS_PORT=port) as (process, _):
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert said.startswith(f"error: USERS_PORT is {port!r}: set it to a whole number from 1 to 65535")
