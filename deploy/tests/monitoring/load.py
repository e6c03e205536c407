"""A bounded load on the gateway: a few dozen mixed requests a second, for two minutes at most."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MAX_SECONDS = 120
PAUSE_SECONDS = 0.04


@contextmanager
def load(port: int) -> Iterator[None]:
    """Two clients until the block ends."""
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
        body = json.dumps({"name": "A B", "email": f"{name}{number}@example.com"})
        method, path, sent = (
            ("POST", "/api/users", body),
            ("GET", f"/api/users/{user}", None),
            ("GET", "/api/users?limit=20", None),
            ("PATCH", f"/api/users/{user}", '{"name": "C D"}'),
            ("GET", "/api/users/unknown", None),
            ("GET", "/nowhere", None),
        )[number % 6]
        user = ask(port, method, path, sent) or user


def ask(port: int, method: str, path: str, body: str | None) -> str | None:
    """One request; the id of the user that it created."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == http.HTTPStatus.CREATED:
            identifier: str = json.loads(content)["id"]
            return identifier
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
    return None
