"""CACHES["default"] is django-redis on the store, with django-prometheus's metrics."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.core.cache import caches
from django_redis.cache import RedisCache
from prometheus_client import REGISTRY

from tests.in_process import built
from tools.processes.store import Store


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
