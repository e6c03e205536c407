"""A bounded load on the gateway: a few dozen mixed requests a second, for two minutes at most."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests

MAX_SECONDS = 120
PAUSE_SECONDS = 0.04


@contextmanager
def load(port: int) -> Iterator[None]:
    done = threading.Event()
    clients = [threading.Thread(target=client, args=(port, name, done), daemon=True) for name in ("a", "b")]
    for thread in clients:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in clients:
            thread.join(15)


def client(port: int, name: str, done: threading.Event) -> None:
    """Creates, reads, lists, changes, deletes, and requests missing users; ignores the answers."""
    deadline = time.monotonic() + MAX_SECONDS
    user = "none"
    for number in itertools.count():
        if done.wait(PAUSE_SECONDS) or time.monotonic() > deadline:
            return
        method, path, sent = (
            ("POST", "/api/users", {"name": "A B", "email": f"{name}{number}@example.com"}),
            ("GET", f"/api/users/{user}", None),
            ("GET", "/api/users?limit=20", None),
            ("PATCH", f"/api/users/{user}", {"name": "C D"}),
            ("GET", "/api/users/unknown", None),
            ("GET", "/nowhere", None),
        )[number % 6]
        with suppress(requests.RequestException):
            answer = requests.request(method, f"http://127.0.0.1:{port}{path}", json=sent, timeout=5)
            if answer.status_code == requests.codes.created:
                user = answer.json()["id"]
