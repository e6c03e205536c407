"""HTTP on a bare socket: sends and reads byte for byte what a client library would correct."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

import orjson

SECONDS = 15


@dataclass
class Answer:
    """An answer; `headers` as received, names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return orjson.loads(self.body)


@contextmanager
def connect(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        yield connection


def read(connection: socket.socket, method: str = "GET") -> Answer:
    """The next answer on a connection; `method` decides whether it has a body."""
    response = HTTPResponse(connection, method=method)
    try:
        response.begin()
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        return Answer(response.status, headers, response.read())
    finally:
        response.close()


def exchange(port: int, request: bytes, method: str = "GET") -> Answer:
    with connect(port) as connection:
        connection.sendall(request)
        return read(connection, method)


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
