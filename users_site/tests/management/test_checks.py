"""check --deploy: every mistake has its ID and a hint; a good deployment has none; plain check asks no Redis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import WARNING, run_checks

from tools.processes.service import free_port
from tools.processes.store import PASSWORD, Store, store

GOOD_KEY = "mV4x0bW2Zk1Q9sT7pR5uY3cN8aL6dF0g"


def ids(**kwargs: Any) -> set[str]:
    found = [message for message in run_checks(include_deployment_checks=True) if message.id]
    ours = [message for message in found if str(message.id).startswith("users.")]
    assert all(message.hint and message.level == WARNING for message in ours)
    assert PASSWORD not in str(ours)
    return {str(message.id) for message in ours}


@pytest.fixture(scope="module")
def good_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store(tmp_path_factory.mktemp("good"), maxmemory="200mb") as running:
        yield running


@pytest.fixture
def good(settings: Any, good_store: Store) -> Any:
    """A deployment without a mistake."""
    settings.DEBUG, settings.SECRET_KEY, settings.ALLOWED_HOSTS = False, GOOD_KEY, ["api.example.com"]
    settings.DRAIN_SECONDS, settings.REDIS_URL = 5, good_store.url
    return settings


@pytest.mark.parametrize("key", [GOOD_KEY, "0123456789abcdefghijklmnopqrstuv"])
def test_good_deployment_has_no_warning(good: Any, key: str) -> None:
    good.SECRET_KEY = key
    assert ids() == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "DEBUG",
            True,
            "users.W001",
        ),  # further ones that both sites have: gateway_site/tests/management/test_checks.py
        ("DRAIN_SECONDS", 20, "users.W004"),
        ("MAX_IN_FLIGHT", 9000, "users.W010"),
        ("REDIS_TIMEOUT_MS", 4500, "users.W013"),
    ],
)
def test_mistake_has_its_id(good: Any, name: str, value: Any, expected: str) -> None:
    setattr(good, name, value)
    assert ids() == {expected}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:pw@redis.example:1/0", {"users.W011", "users.W020"}),
        ("redis://127.0.0.1:1/0", {"users.W012", "users.W020"}),
        ("redis+sentinel://:pw@10.255.255.1:1,127.0.0.1:1/main", {"users.W011", "users.W020"}),
        ("rediss://:pw@127.0.0.1:1/0", {"users.W020"}),
        ("redis+cluster://:pw@10.255.255.1:1,127.0.0.1:1", {"users.W011", "users.W020"}),
        ("rediss+cluster://:pw@127.0.0.1:1", {"users.W020"}),
        ("unix://:pw@/nowhere/redis.sock", {"users.W020"}),
    ],
)
def test_way_to_redis_has_its_warnings(good: Any, url: str, expected: set[str]) -> None:
    good.REDIS_URL = url
    assert ids() == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, {"users.W021"}),
        ({"appendonly": "no"}, {"users.W022"}),
        ({"maxmemory": "0"}, {"users.W023"}),
        ({"replicaof": "127.0.0.1 1"}, {"users.W024"}),
        ({"cluster_enabled": "yes", "cluster_port": str(free_port())}, {"users.W025"}),
    ],
)
def test_live_server_is_looked_at(good: Any, tmp_path: Path, setting: dict[str, str], expected: set[str]) -> None:
    with store(tmp_path, **({"maxmemory": "200mb"} | setting)) as running:
        good.REDIS_URL = running.url
        assert ids() == expected


def test_plain_check_asks_no_redis(good: Any) -> None:
    good.REDIS_URL = "redis://10.255.255.1:6379/0"
    assert [message for message in run_checks() if str(message.id).startswith("users.")] == []
