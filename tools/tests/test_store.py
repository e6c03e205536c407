"""The embedded Valkey: durable, loses nothing to memory pressure, and not open to others on the machine."""

from urllib.parse import urlsplit

import pytest
import redis

from tools.run.store import EmbeddedStore


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
