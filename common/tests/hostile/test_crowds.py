"""Crowds of hostile clients: other clients are still served."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from select import select

import pytest
import requests

from common.tests.hostile.target import POST, Target, statuses
from tests.site import COLLECTION
from tools.processes.cluster import until

CROWDS = {
    "idle connections": (1000, b""),
    "connections idle after a request": (300, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "heads that never end": (300, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
    "bodies that never end": (300, POST + b"Content-Length: 1000\r\n\r\n{"),
    "chunked bodies that never end": (300, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
    "promised bodies that are never sent": (300, POST + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"),
}


@contextmanager
def crowd(port: int, size: int, data: bytes) -> Iterator[None]:
    """`size` connections, each of which has sent `data` and stays silent."""
    with ExitStack() as stack:
        for _ in range(size):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.sendall(data)
        yield


def serves_others(target: Target) -> bool:
    """Whether a well-behaved client is answered. How fast is measured by `make drill DRILLS=slow-clients`."""
    with requests.Session() as session:
        paths = ["/health/ready", *[f"{COLLECTION}?limit=1"] * 20]
        return all(session.get(f"{target.service.url}{path}", timeout=5).status_code == 200 for path in paths)


@pytest.mark.parametrize(("size", "data"), CROWDS.values(), ids=CROWDS.keys())
def test_others_are_served(target: Target, size: int, data: bytes) -> None:
    with crowd(target.port, size, data):
        assert serves_others(target)


def test_unfinished_bodies_take_only_so_much_memory(target: Target) -> None:
    """10,000 such clients would take 600 MB."""
    body = b" " * 60_000
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=10)) for _ in range(600)
        ]
        for client in clients:
            client.sendall(POST + b"Content-Length: 60001\r\n\r\n" + body)
        answered, _, _ = select(clients, [], [], 10)
        assert answered, "36 MB are held"
        for client in answered:
            assert statuses(client.recv(1000)) == [503]
        assert serves_others(target)
    # What was held is given back.
    until(lambda: requests.post(f"{target.service.url}{COLLECTION}", data=body, timeout=10).status_code != 503)
