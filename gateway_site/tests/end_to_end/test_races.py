"""Concurrent clients, over any number of replicas: exactly one of them wins."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import requests

from gateway_site.tests.end_to_end.client import SECONDS, Client, new_user

CLIENTS = 12


def at_once(ask: Callable[[int], requests.Response]) -> list[requests.Response]:
    """The answers to CLIENTS concurrent requests."""
    start = Barrier(CLIENTS)

    def waiting(index: int) -> requests.Response:
        start.wait(SECONDS)
        return ask(index)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(waiting, range(CLIENTS)))


def test_one_email_gets_one_user(client: Client) -> None:
    body = new_user()
    answers = at_once(lambda index: client.ask("POST", "/api/users", json=body | {"name": f"Client {index}"}))
    client.users |= {answer.json()["id"] for answer in answers if answer.ok}
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: CLIENTS - 1}
    assert client.ask("GET", "/api/users", params={"email": body["email"]}).json()["count"] == 1


def test_one_version_is_changed_once(client: Client) -> None:
    user = client.create()
    tag = client.ask("GET", f"/api/users/{user['id']}").headers["ETag"]
    answers = at_once(
        lambda index: client.ask(
            "PATCH", f"/api/users/{user['id']}", json={"name": f"Client {index}"}, headers={"If-Match": tag}
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: CLIENTS - 1}
    (winner,) = (answer for answer in answers if answer.ok)
    assert client.ask("GET", f"/api/users/{user['id']}").json() == winner.json()


def test_one_idempotency_key_makes_one_user(client: Client) -> None:
    body, key = new_user(), {"Idempotency-Key": uuid4().hex}
    answers = at_once(lambda _: client.ask("POST", "/api/users", json=body, headers=key))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    client.users |= made
    assert len(made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}, "409: still in flight"
