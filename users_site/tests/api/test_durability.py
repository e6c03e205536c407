"""DURABILITY over HTTP: the header of an acknowledged write, and the problem of one that is less durable."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.serving import serving
from tools.processes.store import store
from users_site.tests.api.client import Users, fresh_email, problem


@contextmanager
def started(folder: Path, durability: str, **settings: str) -> Iterator[Users]:
    """A service with this DURABILITY, on a store with settings of its own."""
    with store(folder, **settings) as running:
        with serving("users_site", REDIS_URL=running.url, DURABILITY=durability) as service:
            yield Users(service.url)


def every_write(users: Users) -> list[requests.Response]:
    """One of each kind that succeeds."""
    created = users.post({"name": "Ada", "email": fresh_email()})
    user_id = created.json()["id"]
    body = {"name": "Ada", "email": fresh_email()}
    return [created, users.put(user_id, body), users.patch(user_id, {"name": "Eve"}), users.delete(user_id)]


def test_by_default_a_write_reaches_memory_and_a_read_has_no_header(users: Users) -> None:
    answers = every_write(users)
    assert [answer.status_code for answer in answers] == [201, 200, 200, 204]
    assert [answer.headers["X-Durability"] for answer in answers] == ["memory"] * 4
    assert "X-Durability" not in users.list().headers


def test_with_fsync_every_write_has_the_header(tmp_path: Path) -> None:
    with started(tmp_path, "fsync", appendfsync="always") as users:
        assert [answer.headers["X-Durability"] for answer in every_write(users)] == ["fsync"] * 4
        assert users.is_ready()


def test_a_less_durable_write_is_503_with_its_fate(tmp_path: Path) -> None:
    body = {"name": "Ada", "email": fresh_email()}
    with started(tmp_path, "replicated") as users:
        text = problem(users.post(body, idempotency_key="a-key"), 503, "store-unavailable")["detail"]
        assert "was made" in text
        assert "Idempotency-Key" in text
        assert users.list(email=body["email"]).json()["count"] == 1
        problem(users.post(body, idempotency_key="a-key"), 503, "store-unavailable")
        problem(users.post(body), 409, "email-taken")
