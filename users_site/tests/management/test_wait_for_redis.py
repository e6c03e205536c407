"""wait_for_redis: returns when the store can be used, and not before."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis

from tools.processes.service import free_port
from tools.processes.store import Store
from users_site.tests.management.conftest import Run


def test_ctrl_c_reports_how_long_it_has_waited(run: Run, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr("users_site.management.commands.wait_for_redis.time.sleep", interrupted)
    with pytest.raises(CommandError, match=r"^stopped after \d\.\d s$"):
        run("wait_for_redis")


def test_returns_when_the_store_has_come(run: Run, settings: Any, tmp_path: Path) -> None:
    late = Store(tmp_path)
    settings.REDIS_URL = late.url
    timer = threading.Timer(0.5, late.start)
    timer.start()
    try:
        run("wait_for_redis", timeout=30)
        assert late.client().ping()
    finally:
        timer.join()
        late.stop()


def test_store_that_refuses_the_password_is_not_ready(run: Run, redis: Redis, settings: Any, own_store: Store) -> None:
    settings.REDIS_URL = own_store.url.replace("redis://:", "redis://nobody:")
    started = time.monotonic()
    with pytest.raises(CommandError, match="auth"):
        run("wait_for_redis", timeout=1)
    assert time.monotonic() - started < 5
