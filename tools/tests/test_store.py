"""The embedded Valkey: durable, loses nothing to memory pressure, and not open to others on the machine."""

from urllib.parse import urlsplit

import pytest
import redis

from tools.run.store import EmbeddedStore, StoreError, client, external_client, is_empty
from tools.tests.conftest import is_open


def test_it_keeps_a_log_and_evicts_nothing(own_redis):
    with client(own_redis) as server:
        wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "save": "", "bind": "127.0.0.1"}
        assert server.config_get(*wanted) == wanted


def test_it_requires_the_password(own_redis):
    with client(own_redis.replace(urlsplit(own_redis).password, "guess")) as stranger, pytest.raises(redis.RedisError):
        stranger.ping()
    port = urlsplit(own_redis).port
    with client(f"redis://127.0.0.1:{port}/0") as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_password_is_long_private_and_stays_with_the_data(tmp_path):
    folder = tmp_path / "data"
    first = EmbeddedStore(1, folder)
    assert len((folder / "password").read_text()) >= 32
    assert {path.name for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077} == set()
    assert first.url == f"redis://:{(folder / 'password').read_text()}@127.0.0.1:1/0"
    assert EmbeddedStore(1, tmp_path / "other").url != first.url


def test_store_that_is_gone_is_neither_empty_nor_full():
    assert not is_open(1)
    with client("redis://127.0.0.1:1/0") as nobody, pytest.raises(StoreError):
        is_empty(nobody)


@pytest.fixture
def external(monkeypatch):
    """The connection settings of the server that the environment names; None if we cannot reach that kind."""

    def _external(**settings: str) -> dict[str, object] | None:
        for name in ("REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"):
            monkeypatch.setenv(name, settings.get(name, ""))
        found = external_client()
        return dict(found.get_connection_kwargs()) if found else None

    return _external


def test_external_server_is_found_by_url_or_by_its_parts(external):
    by_parts = external(REDIS_HOST="cache", REDIS_PORT="7000", REDIS_PASSWORD="a/b@c")
    assert (by_parts["host"], by_parts["port"], by_parts["password"]) == ("cache", 7000, "a/b@c")
    assert external(REDIS_HOST="cache")["port"] == 6379
    assert external(REDIS_URL="redis://:pw@store:7001/2", REDIS_HOST="cache")["host"] == "store"


@pytest.mark.parametrize("scheme", ["redis+sentinel", "redis+cluster"])
def test_sentinels_and_clusters_are_left_to_the_user_service(external, scheme):
    assert external(REDIS_URL=f"{scheme}://a:1,b:2/mymaster/0") is None
