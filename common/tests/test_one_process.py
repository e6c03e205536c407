"""One worker (the default) is one process: what an arbiter would do for it, it does itself."""

import signal
import time
from pathlib import Path

import pytest
import requests

from tools.testing.log_lines import lines
from tools.testing.service import Service, service
from tools.testing.site import NOWHERE, SITE

SECONDS = 30


def children(running: Service) -> list[str]:
    pid = running.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc on this system")
def test_no_other_process_stands_beside_it(tmp_path: Path) -> None:
    with service(SITE, tmp_path, **NOWHERE) as running:
        assert children(running) == []


def test_a_hang_up_stops_it_gently(tmp_path: Path) -> None:
    with service(SITE, tmp_path, **NOWHERE) as running:
        running.process.send_signal(signal.SIGHUP)
        assert running.process.wait(SECONDS) == 0
        assert "draining" in [line["message"] for line in lines(running)]


@pytest.mark.parametrize("seconds", [0, 0.05, 0.2, 0.4])
def test_a_signal_that_comes_while_it_starts_is_not_lost(tmp_path: Path, seconds: float) -> None:
    starting = Service(SITE, tmp_path, **NOWHERE)
    try:
        deadline = time.monotonic() + SECONDS
        while b"Listening at" not in starting.log.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(seconds)  # the application is being loaded
        starting.process.terminate()
        assert starting.process.wait(SECONDS) == 0
    finally:
        starting.process.kill()
        starting.process.wait()


def test_an_event_loop_that_hangs_ends_it_with_a_traceback(tmp_path: Path) -> None:
    stuck = Service(SITE, tmp_path, "tools.testing.hanging:application", "--timeout", "2", **NOWHERE)
    try:
        deadline = time.monotonic() + SECONDS
        while "ASGI server listening" not in stuck.log.read_text():
            assert time.monotonic() < deadline, stuck.errors.read_text()
            time.sleep(0.02)
        with pytest.raises(requests.ConnectionError):
            requests.get(stuck.url, timeout=SECONDS)
        assert stuck.process.wait(SECONDS) == 1
        assert "in application" in stuck.errors.read_text()
    finally:
        stuck.process.kill()
        stuck.process.wait()
