"""Requests that no HTTP client would send, byte by byte."""

import contextlib
import socket
import time
from typing import NamedTuple

import orjson

SECONDS = 15


class Answer(NamedTuple):
    """The answer, until the body is complete or the server closes."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool
    """Whether the server closed the connection behind it."""

    @property
    def json(self):
        return orjson.loads(self.body)


def send(url: str, data: bytes, *, linger: float = 0.0) -> Answer:
    """Sends the bytes and reads one answer; waits `linger` seconds for the server to close behind it."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # if the server would not continue to read
            client.sendall(data)
        head, _, body = receive_until(client, b"", b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += receive(client)
        return Answer(int(first.split(" ")[1]), headers, body, closes(client, linger))


def receive_until(client: socket.socket, data: bytes, end: bytes) -> bytes:
    while end not in data:
        data += receive(client)
    return data


def receive(client: socket.socket) -> bytes:
    data = client.recv(65536)
    assert data, "the connection was dropped without an answer"
    return data


def closes(client: socket.socket, seconds: float) -> bool:
    """Whether the other side closes within this time."""
    if not seconds:
        return False
    client.settimeout(0.05)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if not client.recv(65536):
                return True
        except TimeoutError:
            continue
        except ConnectionResetError:
            return True
    return False


def request(method: str, path: bytes, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request as bytes, with a Host and whatever headers are given."""
    fields = {"Host": "127.0.0.1", **(headers or {})}
    lines = [b"%b %b HTTP/1.1" % (method.encode(), path)]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in fields.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
