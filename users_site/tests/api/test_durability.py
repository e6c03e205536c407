"""DURABILITY over HTTP: the header of an acknowledged write, and the problem of one that is less durable."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.serving import serving
from tools.processes.store import Store, store
from users_site.tests.api.client import Users, fresh_email, problem

Start = Callable[..., tuple[Users, Store]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a service with a DURABILITY, on a store with settings of its own."""
    with ExitStack() as stack:

        def started(durability: str, **settings: str) -> tuple[Users, Store]:
            (tmp_path / "store").mkdir()
            running = stack.enter_context(store(tmp_path / "store", **settings))
            environment = {"REDIS_URL": running.url, "DURABILITY": durability}
            return Users(stack.enter_context(serving("users_site", **environment)).url), running

        yield started


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


def test_with_fsync_every_write_has_the_header(start: Start) -> None:
    users, running = start("fsync", appendfsync="always")
    assert [answer.headers["X-Durability"] for answer in every_write(users)] == ["fsync"] * 4
    with running.client() as client:
        assert client.info("commandstats")["cmdstat_waitaof"]["calls"] >= 4
    assert users.is_ready()


def test_a_less_durable_write_is_503_with_its_fate(start: Start) -> None:
    users, _ = start("replicated")
    body = {"name": "Ada", "email": fresh_email()}
    answer = users.post(body, idempotency_key="a-key")
    text = problem(answer, 503, "store-unavailable")["detail"]
    assert "was made" in text
    assert "Idempotency-Key" in text
    assert users.list(email=body["email"]).json()["count"] == 1
    problem(users.post(body, idempotency_key="a-key"), 503, "store-unavailable")
    problem(users.post(body), 409, "email-taken")


def test_a_store_that_cannot_make_it_durable_is_not_ready_and_the_log_has_the_reason(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    users, _ = start("fsync", appendonly="no")
    assert not users.is_ready()
    assert users.list().status_code == 200
    assert "DURABILITY=fsync needs WAITAOF" in caplog.text
