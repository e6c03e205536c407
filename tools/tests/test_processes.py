"""Processes of a run start, end and are stopped in order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.processes.service import ROOT, free_port
from tools.run.processes import ProcessEndedError, StopRequestedError, Supervisor

STAY = ["sleep", "60"]
CHOOSE = "from tools.processes.service import free_port; print(*[free_port() for _ in range(20)])"
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.fixture(autouse=True)
def signals():
    """Restores the signals, which a supervisor takes from its process."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as without nohup
    yield
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.mark.skipif(not EPHEMERAL.exists(), reason="no /proc on this system")
def test_nobody_else_takes_a_free_port():
    """Neither an outgoing connection, nor another caller of this process or of one beside it."""
    chosen = [free_port() for _ in range(20)]
    more = subprocess.run([sys.executable, "-c", CHOOSE], cwd=ROOT, capture_output=True, check=True).stdout.split()
    assert max(chosen) < int(EPHEMERAL.read_text().split()[0])
    assert len({*chosen, *map(int, more)}) == 40


def test_store_stops_after_its_writers(tmp_path):
    def child(name: str, seconds: float) -> list[str]:
        at_end = f"sleep {seconds}; echo {name} >> '{tmp_path}/ends'; exit 0"
        return shell(f"trap '{at_end}' TERM; touch '{tmp_path}/{name}'; while :; do sleep 0.05; done".replace("'", '"'))

    with Supervisor(stop_seconds=20) as supervisor:
        supervisor.start("store", child("store", 0), os.environ, tmp_path, stop_last=True)
        supervisor.start("service", child("service", 0.4), os.environ, tmp_path)
        assert supervisor.wait(lambda: (tmp_path / "store").exists() and (tmp_path / "service").exists(), 20)
    assert (tmp_path / "ends").read_text().split() == ["service", "store"]


def test_process_that_ignores_sigterm_is_killed(tmp_path):
    started = time.monotonic()
    with Supervisor(stop_seconds=0.3) as supervisor:
        supervisor.start("deaf", shell("trap '' TERM; echo $$ > pid; while :; do sleep 60; done"), os.environ, tmp_path)
        assert supervisor.wait((tmp_path / "pid").exists, 20)
    assert time.monotonic() - started < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_end_of_a_process_names_it_and_its_exit_code(tmp_path):
    with Supervisor(stop_seconds=20) as supervisor:
        supervisor.start("brief", shell("exit 7"), os.environ, tmp_path)
        with pytest.raises(ProcessEndedError, match=r"^brief ended \(exit code 7\); everything is stopped$"):
            supervisor.wait(lambda: False, 20)


def test_job_may_end_and_is_bounded(tmp_path):
    with Supervisor(stop_seconds=20) as supervisor:
        assert supervisor.run(shell("exit 3"), os.environ, tmp_path, 20) == 3
        assert supervisor.run(STAY, os.environ, tmp_path, 0.2) is None


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_wait(tmp_path, signum):
    with Supervisor(stop_seconds=20) as supervisor:
        supervisor.start("stays", STAY, os.environ, tmp_path)
        os.kill(os.getpid(), signum)
        with pytest.raises(StopRequestedError):
            supervisor.wait(lambda: False, 20)


def test_a_closed_terminal_ends_the_wait_also_without_a_signal():
    stdin, (ours, theirs) = os.dup(0), os.openpty()
    os.dup2(theirs, 0)
    try:
        with Supervisor(stop_seconds=20) as supervisor:
            assert not supervisor.wait(lambda: False, 0.2)
            os.close(ours)
            with pytest.raises(StopRequestedError):
                supervisor.wait(lambda: False, 20)
    finally:
        os.dup2(stdin, 0)
        os.close(theirs)


def test_nohup_is_honoured():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Supervisor(stop_seconds=20):
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
