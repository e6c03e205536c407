"""One request of a connection, and its answer: ASGI's `scope`, `receive` and `send`."""

import asyncio
import math
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from common.server import drain
from common.server.refusal import Refusal

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveEvent, ASGISendEvent, HTTPScope

    from common.server.protocol import Protocol

SWITCHING_PROTOCOLS = 101


class Exchange:
    """`more_body`: the request is incomplete. `left`: bytes of the answer's body still due by its Content-Length."""

    def __init__(self, protocol: "Protocol", scope: "HTTPScope", *, keep_alive: bool) -> None:
        self.protocol, self.scope = protocol, scope
        self.keep_alive = keep_alive
        self.may_continue = scope["http_version"] == "1.1"
        self.body, self.more_body = bytearray(), True
        self.refusal: Refusal | None = None
        self.is_started = self.is_answered = self.is_chunked = self.is_bodiless = False
        self.is_read = self.is_ending = self.is_upgraded = False
        self.head, self.left = b"", -1
        self._arrived: asyncio.Future[None] | None = None

    def refuse(self, refusal: Refusal) -> None:
        """Refuses the request: the application gets the refusal from the scope or, if it already runs, from
        `receive`."""
        self.refusal, self.keep_alive = refusal, False
        self.scope["extensions"] = {"refusal": {"status": refusal.status, "reason": refusal.reason}}
        self.wake()

    def end(self) -> None:
        """Ends a stream: the server stops, or the client may have disconnected."""
        self.keep_alive, self.is_ending = False, True
        self.wake()

    def wake(self) -> None:
        """Makes `receive` check its state again."""
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def receive(self) -> "ASGIReceiveEvent":
        """The next piece of the body; after the last one `http.disconnect`, once `end` was called.

        Raises Refusal if the body is malformed."""
        while not self.body and self.refusal is None and not self.is_answered:
            if not self.more_body and (self.is_ending or not self.is_read):
                break
            if self.is_upgraded and self.is_ending:
                return {"type": "http.disconnect"}
            if self.may_continue and not self.is_started:
                self.may_continue = False
                if any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.scope["headers"]):
                    self.protocol.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.protocol.resume_reading()
            self._arrived = self.protocol.loop.create_future()
            await self._arrived
        if self.refusal is not None:
            raise self.refusal
        if self.is_answered or self.is_read:
            return {"type": "http.disconnect"}
        self.is_read = not self.more_body
        piece, self.body = bytes(self.body), bytearray()
        if self.is_read and self.protocol.holds:  # a piece of an incomplete body still counts
            self.protocol.count_held()
        return {"type": "http.request", "body": piece, "more_body": self.more_body}

    async def send(self, message: "ASGISendEvent") -> None:
        """Writes the answer, the head together with the first piece of the body."""
        if message["type"] == "http.response.start":
            self.head = self._head(message["status"], list(message["headers"]))
            self.is_started = True
            return
        if message["type"] != "http.response.body" or not self.is_started or self.is_answered:
            raise RuntimeError(f"unexpected {message['type']}")
        is_last = not message.get("more_body", False)
        data = self.head + self._framed(message.get("body", b""), is_last=is_last)
        self.head, self.is_answered = b"", is_last
        if data:
            self.protocol.write(data)
        if self.protocol.writable is not None:
            await self.protocol.writable

    def _framed(self, body: bytes, *, is_last: bool) -> bytes:
        if self.is_bodiless:
            return b""
        if self.is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk + b"0\r\n\r\n" if is_last else chunk
        if self.left >= 0:
            self.left -= len(body)
            if self.left < 0 or (self.left and is_last):
                raise RuntimeError("the answer is not as long as its Content-Length")
        return body

    def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        if status == SWITCHING_PROTOCOLS:
            self.is_upgraded, self.keep_alive = True, False
            self.protocol.deadline = math.inf
            return _joined(status, headers)
        names: dict[bytes, Any] = dict(headers)
        is_old = self.scope["http_version"] == "1.0"
        self.is_bodiless = self.scope["method"] == "HEAD" or status in {204, 304}
        if status == HTTPStatus.NO_CONTENT:
            headers = [field for field in headers if field[0] != b"content-length"]  # RFC 9110 §8.6
        if not self.is_bodiless:
            if b"content-length" in names:
                self.left = int(names[b"content-length"])
            elif is_old:
                self.keep_alive = False  # HTTP/1.0 ends the body by closing
            else:
                self.is_chunked = True
                headers.append((b"transfer-encoding", b"chunked"))
        # The rest of an unread body would be parsed as the next request.
        if self.more_body or drain.is_on():
            self.keep_alive = False
        if not self.keep_alive:
            headers.append((b"connection", b"close"))
        elif is_old:
            headers.append((b"connection", b"keep-alive"))
        if b"date" not in names:
            headers += self.protocol.server_state.default_headers
        return _joined(status, headers)


def _joined(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    head = b"\r\n".join([_status_line(status), *map(b": ".join, headers), b"\r\n"])
    breaks = len(headers) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise RuntimeError("a header field of the answer has a line break")
    return head


@lru_cache(maxsize=1000)
def _status_line(status: int) -> bytes:
    phrases = {int(each): each.phrase for each in HTTPStatus}
    return f"HTTP/1.1 {status} {phrases.get(status, '')}".encode()
