"""The commands' client finds every kind of store."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tools.processes.sentinel import replica_of, sentinel_of, sentinel_url
from tools.processes.service import free_port
from tools.processes.valkey import valkey
from users_site.operations.bulk import Bulk
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
