"""A store that requires another password, loses connections, or uses TLS. More: packages/redis_pipe/tests, tests/repository."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import serving
from tools.processes.cluster import until
from tools.processes.store import PASSWORD, Store, store
from users_site.tests.api.client import Users, fresh_email, problem

pytest_plugins = ["tests.tls"]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Store, Users, Path]]:
    """A healthy store and the service on it."""
    (tmp_path / "store").mkdir()
    with (
        store(tmp_path / "store", appendfsync="always") as redis,
        serving("users_site", REDIS_URL=redis.url) as running,
    ):
        users = Users(running.url)
        users.created()
        time.sleep(1.1)  # a connection that is lost sooner is a failed attempt
        yield redis, users, running.log


def test_a_wrong_password_is_503_without_naming_it(pair: tuple[Store, Users, Path]) -> None:
    redis, users, log = pair
    with redis.client() as client:
        client.config_set("requirepass", "another-password")
        client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
        time.sleep(0.2)
        assert "auth" in problem(users.list(), 503, "store-unavailable")["detail"]
        assert not users.is_ready()
        assert PASSWORD not in users.list().text + log.read_text()
        client.config_set("requirepass", PASSWORD)
    until(users.is_ready)
    users.created()


def test_connections_that_are_killed_are_replaced_and_no_write_is_doubled(pair: tuple[Store, Users, Path]) -> None:
    redis, users, _ = pair
    emails, made = [fresh_email() for _ in range(60)], []
    with redis.client() as client:
        for number, email in enumerate(emails):
            if number % 20 == 10:
                client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
            answer = users.post({"name": "Ada", "email": email}, idempotency_key=email)
            while answer.status_code == 503:
                time.sleep(0.05)
                answer = users.post({"name": "Ada", "email": email}, idempotency_key=email)
            made.append(answer.json()["email"])
    assert made == emails
    assert users.list().json()["count"] == 1 + len(emails)
    assert users.is_ready()
