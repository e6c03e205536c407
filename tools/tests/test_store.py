"""The embedded Valkey: durable, loses nothing to memory pressure, and not open to others on the machine."""

import os
from urllib.parse import urlsplit

import pytest
import redis

from tools.processes.service import free_port
from tools.run.processes import Supervisor
from tools.run.store import EmbeddedStore, StoreError


def test_it_keeps_a_log_and_evicts_nothing(own_redis):
    with redis.Redis.from_url(own_redis) as server:
        wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "save": "", "bind": "127.0.0.1"}
        assert server.config_get(*wanted) == wanted


@pytest.mark.parametrize("login", ["", ":guess@"])
def test_it_requires_the_password(own_redis, login):
    port = urlsplit(own_redis).port
    with (
        redis.Redis.from_url(f"redis://{login}127.0.0.1:{port}/0") as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_password_is_long_private_and_stays_with_the_data(tmp_path):
    folder = tmp_path / "data"
    first = EmbeddedStore(1, folder)
    assert len((folder / "password").read_text()) >= 32
    assert {path.name for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077} == set()
    assert first.url == f"redis://:{(folder / 'password').read_text()}@127.0.0.1:1/0"
    assert EmbeddedStore(1, tmp_path / "other").url != first.url


def test_data_stays_locked_while_the_server_of_a_killed_run_writes_to_it(tmp_path):
    with Supervisor(stop_seconds=20) as supervisor:
        own = EmbeddedStore(free_port(), tmp_path / "data")
        own.start(supervisor)
        os.close(own.lock)
        with pytest.raises(StoreError, match="in use by another `make run`"):
            EmbeddedStore(free_port(), tmp_path / "data")
    EmbeddedStore(free_port(), tmp_path / "data")
