"""An HTTP server for tests that records requests byte for byte and sends prepared answers."""

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader

SECONDS = 15
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Received:
    """One request: its head and (unframed) body as received; `closed` once the other side has closed."""

    head: bytes
    body: bytes = b""
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields in their order, names in lower case."""
        lines = (line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:] if line)
        return [(name.lower(), value) for name, value in lines]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


Reply = bytes | Callable[[Received, socket.socket], None]
"""Bytes to send, or a function of the connection; one that returns leaves it open for the next request."""


class Recording:
    """Listens on loopback. It sends `replies` in order, then `default`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.listener = socket.create_server((host, port), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.received: queue.Queue[Received] = queue.Queue()
        self.replies: queue.Queue[Reply] = queue.Queue()
        self.default: Reply = OK
        self.open = threading.Event()
        self.open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def next(self) -> Received:
        return self.received.get(timeout=SECONDS)

    def reset(self) -> None:
        """Drops recorded requests and prepared answers."""
        self.default = OK
        self.open.set()
        self.received, self.replies = queue.Queue(), queue.Queue()

    def freeze(self) -> None:
        self.open.clear()

    def thaw(self) -> None:
        self.open.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError), connection.makefile("rb") as stream:
            while request := _request(stream):
                self.received.put(request)
                self.open.wait()
                try:
                    reply = self.replies.get_nowait()
                except queue.Empty:
                    reply = self.default
                if callable(reply):
                    reply(request, connection)
                else:
                    connection.sendall(reply)


def _request(stream: BufferedReader) -> Received | None:
    """The next request of a connection, None at its end."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not lines:
        return None
    request = Received(b"".join(lines))
    lengths = request.values(b"content-length")
    if request.values(b"transfer-encoding"):
        while size := int(stream.readline(), 16):
            request.body += stream.read(size)
            stream.readline()
        stream.readline()
    elif lengths:
        request.body = stream.read(int(lengths[0]))
    return request


def wait_for_close(request: Received, connection: socket.socket) -> None:
    """A reply that sends nothing, and records when the other side closes."""
    with suppress(OSError):
        connection.settimeout(SECONDS)
        if connection.recv(1) != b"":
            return
    request.closed.set()


def reset(request: Received, connection: socket.socket) -> None:
    """A reply that is a TCP reset, after the request was read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raise ConnectionError  # the server closes the socket


def broken(answer: bytes) -> Reply:
    """A reply after which the connection ends."""

    def reply(request: Received, connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    return reply


@contextmanager
def recording(host: str = "127.0.0.1", port: int = 0) -> Iterator[Recording]:
    server = Recording(host, port)
    try:
        yield server
    finally:
        server.open.set()
        server.listener.close()
