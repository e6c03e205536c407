"""gunicorn's arbiter and its worker: start, hang, crash, reload and stop."""

import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import requests
from gunicorn.util import parse_address

from common.server.gunicorn import bind_address
from tests.log_lines import waited_for
from tests.site import NOWHERE, SITE
from tools.processes.cluster import until
from tools.processes.service import Service, listens, service

SECONDS = 30
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc on this system")

WITH_AN_ORPHAN = """
import ctypes, os, socket, sys, time
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
if os.fork() == 0:
    if os.fork() == 0:
        while socket.socket().connect_ex(("127.0.0.1", int(os.environ["PORT"]))):
            time.sleep(0.1)
    os._exit(0)
os.execv(sys.argv[1], sys.argv[1:])
"""

AS_PID_1 = ["sh", "-c", 'trap "" TERM; exec "$@"', "sh"]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_replaced(running: Service, worker: int) -> bool:
    found = children(running.process.pid)
    return len(found) == 1 and worker not in found


@pytest.mark.parametrize("host", ["::1", "[::1]", "127.0.0.1", "localhost"])
def test_host_may_be_an_ipv6_address_with_brackets_or_without(host: str) -> None:
    assert parse_address(bind_address(host, 3000)) == (host.strip("[]"), 3000)


@needs_proc
def test_a_worker_that_was_killed_is_replaced(tmp_path: Path) -> None:
    with service(SITE, tmp_path, **NOWHERE) as running:
        (worker,) = children(running.process.pid)
        os.kill(worker, signal.SIGKILL)
        assert waited_for(running, lambda line: "was sent SIGKILL" in line["message"])
        running.wait_until_live()
        assert children(running.process.pid) != [worker]


@needs_proc
def test_a_worker_does_not_outlive_its_arbiter(tmp_path: Path) -> None:
    with service(SITE, tmp_path, **NOWHERE) as running:
        running.process.kill()
        until(lambda: not listens(running.port))


@needs_proc
def test_orphans_are_reaped_as_pid_1_must(tmp_path: Path) -> None:
    """A subreaper inherits orphans, as PID 1 does."""
    running = Service(SITE, tmp_path, run_in=[sys.executable, "-c", WITH_AN_ORPHAN], **NOWHERE)
    try:
        running.wait_until_live()
        until(lambda: len(children(running.process.pid)) == 1)
    finally:
        running.stop()


@needs_proc
def test_a_hang_up_replaces_the_worker_and_loses_no_request(tmp_path: Path) -> None:
    """Also none that has arrived, and is not read, when its worker stops."""
    answers: set[bytes] = set()
    stop = threading.Event()

    def keep_asking(port: int) -> None:
        while not stop.is_set():
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                try:
                    answers.add(client.recv(100)[:12])
                except ConnectionResetError:
                    answers.add(b"reset")

    with service(SITE, tmp_path, DRAIN_SECONDS="0", **NOWHERE) as running:
        threads = [threading.Thread(target=keep_asking, args=(running.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            until(lambda: len(children(running.process.pid)) == 1)  # /proc misses a child while another one exits
            (worker,) = children(running.process.pid)
            running.process.send_signal(signal.SIGHUP)
            until(partial(is_replaced, running, worker))
        stop.set()
        for thread in threads:
            thread.join()
    assert answers == {b"HTTP/1.1 200"}


@pytest.mark.parametrize("seconds", [0.2, 0.6])
def test_a_signal_that_comes_while_it_starts_is_not_lost(tmp_path: Path, seconds: float) -> None:
    """As PID 1 it would ignore a signal that it does not handle."""
    starting = Service(SITE, tmp_path, run_in=AS_PID_1, **NOWHERE)
    try:
        time.sleep(seconds)
        deadline = time.monotonic() + SECONDS
        while starting.process.poll() is None:
            assert time.monotonic() < deadline
            starting.process.terminate()
            time.sleep(0.2)
        assert starting.process.returncode == 0
    finally:
        starting.process.kill()
        starting.process.wait()


def test_a_worker_whose_event_loop_hangs_is_killed_with_a_traceback(tmp_path: Path) -> None:
    stuck = Service(SITE, tmp_path, "tests.hanging:application", "--timeout", "2", **NOWHERE)
    try:
        assert waited_for(stuck, lambda line: line["message"].startswith("Booting worker"))
        with pytest.raises(requests.ConnectionError):
            requests.get(stuck.url, timeout=SECONDS)
        assert waited_for(stuck, lambda line: "WORKER TIMEOUT" in line["message"])
        assert "in application" in stuck.errors.read_text()
    finally:
        stuck.process.kill()
        stuck.process.wait()
