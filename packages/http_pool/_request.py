"""Serializes requests, and refuses every head that a server could interpret in another way."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import lru_cache
from typing import NamedTuple

from ._errors import InvalidRequest

Fields = Collection[tuple[bytes, bytes]]
Send = Callable[[bytes], Awaitable[None]]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_TARGET = re.compile(rb"[^\x21-\x7e\x80-\xff]")
_EXPECT_CONTENT = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})

_KNOWN_METHODS = SAFE | _EXPECT_CONTENT | {"DELETE"}

UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Outgoing(NamedTuple):
    """A request. `length`: of a body that is an iterator; without it the body is sent in chunks.

    With `idle`, the answer is returned at its head, and each later piece may take so many seconds. `upgrades`: it
    requests a WebSocket; the body of a 101 is what the server sends on the connection.
    """

    method: str
    target: bytes
    headers: Fields
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    idle: float = 0
    upgrades: bool = False

    @property
    def is_streamed(self) -> bool:
        return not isinstance(self.body, bytes)

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent twice: a second PUT or DELETE could undo another client's change in between."""
        return self.method in SAFE


def serialize(request: Outgoing, host: bytes, more: Fields = ()) -> bytes:
    """The request's head, with `more` header fields. Raises InvalidRequest where that would change its meaning."""
    method, target, headers, *_ = request
    if method not in _KNOWN_METHODS and (method == "CONNECT" or not _TOKEN.fullmatch(method.encode())):
        raise InvalidRequest(f"not a request method to forward: {method!r}")
    if not target or _NOT_IN_TARGET.search(target):
        raise InvalidRequest("the request target is empty or has white space or control characters")
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target), host]
    lines += [_prefix(name) + value for name, value in (*headers, *more)]
    frame = UPGRADE if request.upgrades else _framing(request)
    lines.append(frame)
    head = b"\r\n".join(lines)
    # One count instead of a search in each value: no line may contain an end of line.
    ends = len(lines) - 1 + frame.count(b"\n")
    if head.count(b"\n") != ends or head.count(b"\r") != ends or 0 in head:
        raise InvalidRequest("a header value has CR, LF or NUL")
    return head


def _framing(request: Outgoing) -> bytes:
    """The last line of the head (RFC 9110 §8.6). Raises InvalidRequest for a length that the body cannot have."""
    body, length = request.body, request.length
    if isinstance(body, bytes):
        if length not in (None, len(body)):
            raise InvalidRequest("length is not that of the body")
        length = len(body)
    elif length is None:
        return b"Transfer-Encoding: chunked\r\n\r\n"
    if length < 0:
        raise InvalidRequest("length is negative")
    if length or request.method in _EXPECT_CONTENT:
        return b"Content-Length: %d\r\n\r\n" % length
    return b"\r\n"


@lru_cache(maxsize=256)
def _prefix(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise InvalidRequest(f"not a header name: {name!r}")
    if name.lower() in _OURS:
        raise InvalidRequest(f"{name.decode()} is set by the client itself")
    return name + b": "


async def send_body(send: Send, body: AsyncIterator[bytes], length: int | None) -> None:
    """Send `body`, chunked if `length` is None, else `length` bytes of it.

    Raises InvalidRequest if the body is shorter, or longer within a piece. Reads no further than `length` bytes, so that the
    request counts as sent before the iterator ends.
    """
    if length is None:
        await _send_chunked(send, body)
        return
    left = length
    while left:
        piece = await anext(body, None)
        if piece is None:
            raise InvalidRequest("the body is shorter than its length")
        left -= len(piece)
        if left < 0:
            raise InvalidRequest("the body is longer than its length")
        await send(piece)


async def _send_chunked(send: Send, body: AsyncIterator[bytes]) -> None:
    async for piece in body:
        if piece:  # an empty chunk would end the body
            await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await send(b"0\r\n\r\n")
