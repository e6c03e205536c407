"""The target of hostile clients, and a record of the bytes that reached the upstream."""

import socket
import time
from contextlib import suppress

from tests.recording import Received, Recording
from tests.site import COLLECTION
from tools.processes.service import Service

POST = f"POST {COLLECTION} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
"""The head of a request, to which its framing is added."""

_BODY = b'{"name":"Mallory","email":"smuggled@example.com"}'
SMUGGLED = POST + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY
"""A request hidden in bytes that the next hop may read as a body."""


class Target:
    """A running gateway; `upstream` is behind it."""

    def __init__(self, service: Service, upstream: Recording) -> None:
        self.service, self.upstream = service, upstream
        self.port = service.port

    def forwarded(self) -> list[Received]:
        """The requests that reached the upstream since."""
        time.sleep(0.05)
        return list(self.upstream.received.queue)

    def all_answers(self, data: bytes, seconds: float = 5.0) -> tuple[bytes, bool]:
        """All answers to these bytes on one connection, and whether the gateway closed it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with suppress(OSError):
                connection.sendall(data)
            got = b""
            with suppress(ConnectionError):
                try:
                    while chunk := connection.recv(65536):
                        got += chunk
                except TimeoutError:
                    return got, False
        return got, True


def statuses(answers: bytes) -> list[int]:
    """The status of each answer in these bytes; no answer quotes a status line."""
    return [int(part[2:5]) for part in answers.split(b"HTTP/1.")[1:] if part[2:5].isdigit()]
