"""A store that is loading, was replaced, requires another password, lost its scripts, or uses TLS."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.serving import Served, serving
from tools.processes.store import PASSWORD, Store, store
from users_site.tests.api.client import Users, fresh_email, problem

pytest_plugins = ["tests.tls"]

PROMPT, RECOVERY = 2.0, 4.0
"""The contract's bound, and twice that to recover: this machine may be busy."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Store, Served, Users]]:
    """A healthy store and the service on it."""
    (tmp_path / "store").mkdir()
    with (
        store(tmp_path / "store", appendfsync="always") as redis,
        serving("users_site", REDIS_URL=redis.url) as running,
    ):
        users = Users(running.url)
        users.created()
        time.sleep(1.1)  # a connection that is lost sooner is a failed attempt
        yield redis, running, users


def is_ready(running: Served) -> bool:
    started = time.monotonic()
    answer = requests.get(f"{running.url}/health/ready", timeout=10)
    assert time.monotonic() - started < 1.5
    return answer.status_code == 200


def assert_unavailable(running: Served, users: Users, reason: str) -> None:
    """Checks that every request is 503 within 2 s for this reason, and the service is not ready."""
    for ask in (users.list, lambda: users.post({"name": "Ada", "email": fresh_email()}), users.list):
        started = time.monotonic()
        body = problem(ask(), 503, "store-unavailable")
        assert time.monotonic() - started < PROMPT
    assert reason in body["detail"]
    assert not is_ready(running)


def assert_recovers(running: Served, users: Users) -> None:
    """Waits until the service has recovered, including writes."""
    started = time.monotonic()
    while not is_ready(running):
        assert time.monotonic() - started < RECOVERY, "it does not recover"
        time.sleep(0.05)
    users.created()


@contextmanager
def impostor(port: int, reply: bytes) -> Iterator[list[float]]:
    """A server with one answer for everything; returns the times of its connections."""
    connected: list[float] = []
    held: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", port))

    def serve(connection: socket.socket) -> None:
        with suppress(OSError):
            while connection.recv(65536):
                connection.sendall(reply)

    def accept() -> None:
        with suppress(OSError):
            while True:
                held.append(listener.accept()[0])
                connected.append(time.monotonic())
                threading.Thread(target=serve, args=(held[-1],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield connected
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def test_a_loading_store_is_503_and_waited_for_without_a_storm(pair: tuple[Store, Served, Users]) -> None:
    redis, running, users = pair
    redis.stop()
    with impostor(redis.port, b"-LOADING Redis is loading the dataset in memory\r\n") as connected:
        until = time.monotonic() + PROMPT
        while "loading" not in users.list().text:
            assert time.monotonic() < until
        assert_unavailable(running, users, "loading")
        before = len(connected)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            problem(users.list(), 503, "store-unavailable")
        assert len(connected) - before <= 6
    redis.start()
    assert_recovers(running, users)


def test_a_store_that_was_replaced_by_an_empty_one_is_empty_and_takes_writes(
    pair: tuple[Store, Served, Users],
) -> None:
    redis, running, users = pair
    user = users.created()
    redis.kill()
    shutil.rmtree(redis.folder / "appendonlydir")
    redis.start()
    assert_recovers(running, users)
    problem(users.get(user["id"]), 404, "user-not-found")
    assert users.list().json()["count"] == 1


def test_a_wrong_password_is_503_without_naming_it(pair: tuple[Store, Served, Users]) -> None:
    redis, running, users = pair
    with redis.client() as client:
        client.config_set("requirepass", "another-password")
        client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
        time.sleep(0.2)
        assert_unavailable(running, users, "auth")
        assert PASSWORD not in users.list().text + running.log.read_text()
        client.config_set("requirepass", PASSWORD)
    assert_recovers(running, users)


def test_connections_that_are_killed_are_replaced_and_no_write_is_doubled(pair: tuple[Store, Served, Users]) -> None:
    redis, running, users = pair
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
    assert is_ready(running)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_rediss_serves_and_recovers_and_an_unknown_authority_is_503(
    pair: tuple[Store, Served, Users], certificate: tuple[Path, Path], tls_proxy: Callable[[int], Awaitable[int]]
) -> None:
    redis = pair[0]
    url = f"rediss://:{PASSWORD}@localhost:{await tls_proxy(redis.port)}/0"

    def check() -> None:
        authority = f"{url}?ssl_ca_certs={certificate[0]}"
        with serving("users_site", REDIS_URL=authority, REDIS_CONNECT_TIMEOUT_MS="2000") as running:
            users = Users(running.url)
            user = users.created()
            time.sleep(1.1)
            redis.kill()
            problem(users.list(), 503, "store-unavailable")
            assert not is_ready(running)
            redis.start()
            assert_recovers(running, users)
            assert users.get(user["id"]).json() == user
        with serving("users_site", REDIS_URL=url, REDIS_CONNECT_TIMEOUT_MS="2000") as running:
            assert "tls" in problem(Users(running.url).list(), 503, "store-unavailable")["detail"]

    await asyncio.to_thread(check)
