"""wait_for_upstream: returns when the user service and its store can be used, and not before."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.processes.service import Service, free_port, service

Shell = Callable[..., Any]


def test_returns_when_the_user_service_is_ready(shell: Shell, users_service: Service) -> None:
    done = shell("wait_for_upstream", "--timeout", "20", USER_SERVICE_URL=users_service.url)
    assert done.returncode == 0
    assert "is ready" in done.stderr
    assert done.stdout == ""


def test_times_out_with_the_reason(shell: Shell) -> None:
    started = time.monotonic()
    done = shell("wait_for_upstream", "--timeout", "1", USER_SERVICE_URL=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "after 1 s: no connection" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert time.monotonic() - started < 20


def test_user_service_without_its_store_is_not_ready(shell: Shell, tmp_path: Path) -> None:
    with service("users_site", tmp_path, REDIS_URL=f"redis://:pw@127.0.0.1:{free_port()}/0") as running:
        done = shell("wait_for_upstream", "--timeout", "2", USER_SERVICE_URL=running.url)
    assert done.returncode == 1
    assert "503" in done.stderr
