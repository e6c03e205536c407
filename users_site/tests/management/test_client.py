"""The commands' client, CACHES["default"], finds every kind of store; its metrics are django-prometheus's."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django_redis.cache import RedisCache
from prometheus_client import REGISTRY
from redis import exceptions

from packages.redis_pipe import Address
from tests.in_process import built
from tools.processes.sentinel import replica_of, sentinel_of, sentinel_url
from tools.processes.service import free_port
from tools.processes.store import Store
from tools.processes.valkey import valkey
from users_site.operations.bulk import Bulk
from users_site.operations.client import translated
from users_site.operations.walk import count as users_in
from users_site.repository.errors import StoreUnavailable

pytest_plugins = ["tests.tls"]


def count(settings: Any, url: str) -> int:
    settings.REDIS_URL = url
    bulk = Bulk()
    try:
        return users_in(bulk)
    finally:
        bulk.close()


def test_primary_behind_sentinels(settings: Any) -> None:
    with valkey() as primary, replica_of(primary), sentinel_of(primary) as sentinel:
        primary.command("ZADD", "{users:0}:ids", 0, "x")
        assert count(settings, sentinel_url(free_port(), sentinel.port)) == 1


def test_no_sentinel_is_reported_as_such(settings: Any) -> None:
    with pytest.raises(StoreUnavailable, match="no_primary"):
        count(settings, sentinel_url(free_port()))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exceptions.AuthenticationError("secret"), "(auth)"),
        (exceptions.NoPermissionError("secret", status_code="NOPERM"), "(auth)"),
        (exceptions.BusyLoadingError("secret"), "(loading)"),
        (exceptions.TimeoutError("secret"), "(timeout)"),
        (exceptions.InvalidResponse("secret"), "(protocol)"),
        (exceptions.ReadOnlyError("secret", status_code="READONLY"), "(readonly)"),
        (exceptions.ResponseError("WRONGTYPE secret"), "Redis refused 'get' with WRONGTYPE"),
        (ConnectionRefusedError(), "(refused)"),
    ],
)
def test_errors_of_redis_py_become_ours_without_the_servers_words(error: Exception, text: str) -> None:
    found = str(translated(error, "get", Address.from_url("redis://a")))
    assert text in found
    assert "secret" not in found


def test_unix_socket(settings: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "redis.sock"
        with valkey(f'unixsocket "{path}"', password=""):
            assert count(settings, f"unix://{path}") == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_tls(settings: Any, certificate: Any, tls_proxy: Any) -> None:
    with valkey(password="") as server:
        url = f"rediss://localhost:{await tls_proxy(server.port)}/0"
        assert await asyncio.to_thread(count, settings, f"{url}?ssl_ca_certs={certificate[0]}") == 0
        with pytest.raises(StoreUnavailable, match="tls"):
            await asyncio.to_thread(count, settings, url)


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"backend": "redis"}) or 0.0


@pytest.fixture
def cache(own_store: Store) -> Iterator[RedisCache]:
    with built("users_site", REDIS_URL=own_store.url):
        with suppress(AttributeError):
            del caches["default"]  # made for the settings of the whole run
        yield caches["default"]
        del caches["default"]


def test_the_cache_reads_the_store_and_counts_it(cache: RedisCache) -> None:
    names = [f"django_cache_{what}_total" for what in ("get", "get_hits", "get_misses")]
    before = [counted(name) for name in names]
    assert cache.get("missing") is None
    cache.set("here", "x", 5)
    assert cache.get("here") == "x"
    assert [counted(name) for name in names] == [before[0] + 2, before[1] + 1, before[2] + 1]
