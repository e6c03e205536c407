"""Serializes a request head, and refuses every head that a server could read in another way."""

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

Body = bytes | AsyncIterator[bytes]

# May be sent twice: a second PUT or DELETE could undo another client's change in between.
REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_TARGET = re.compile(rb"[^\x21-\x7e\x80-\xff]")
_EXPECT_CONTENT = frozenset({b"POST", b"PUT", b"PATCH"})
_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})

# Names that were checked before. Bounded, because clients choose them.
_MAX_KNOWN = 1024
_MAX_KNOWN_LENGTH = 64
_KNOWN_METHODS = REPEATABLE | _EXPECT_CONTENT | {b"DELETE"}
_known_prefixes: dict[bytes, bytes] = {}

UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
NO_CONTENT = b"\r\n"


class Message(NamedTuple):
    """A request, ready to be sent. `length`: of a body that is an iterator, None to send chunks.

    `idle`: its answer is returned with the head, and each later piece may take as many seconds.
    """

    head: bytes
    body: Body = b""
    length: int | None = None
    is_head: bool = False
    may_repeat: bool = False
    idle: float = 0
    upgrades: bool = False


def framing(method: bytes, body: Body, length: int | None = None) -> bytes:
    """The last line of the head for a body (RFC 9110 §8.6); `length` is required to send an iterator without chunks.

    Raises ValueError for a length that the body cannot have.
    """
    if isinstance(body, bytes):
        if length not in (None, len(body)):
            raise ValueError("content_length is not the length of the body")
        length = len(body)
    elif length is None:
        return CHUNKED
    if length < 0:
        raise ValueError("content_length is negative")
    if length or method in _EXPECT_CONTENT:
        return b"Content-Length: %d\r\n\r\n" % length
    return NO_CONTENT


def serialize(method: bytes, target: bytes, host: bytes, headers: list[tuple[bytes, bytes]], frame: bytes) -> bytes:
    """The request's head. Raises ValueError for anything that changes its meaning on the wire."""
    if method not in _KNOWN_METHODS and (method == b"CONNECT" or not _TOKEN.fullmatch(method)):
        raise ValueError(f"not a request method to forward: {method!r}")
    if not target or _NOT_IN_TARGET.search(target):
        raise ValueError("the request target is empty or has white space or control characters")
    prefixes = _known_prefixes
    lines = [b"%b %b HTTP/1.1" % (method, target), host]
    for name, value in headers:
        lines.append((prefixes.get(name) or _prefix(name)) + value)
    lines.append(frame)
    head = b"\r\n".join(lines)
    # One count instead of a search in each value: no line may contain an end of line.
    ends = len(lines) - 1 + frame.count(b"\n")
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise ValueError("a header value has CR, LF or NUL")
    return head


def _prefix(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"not a header name: {name!r}")
    if name.lower() in _OURS:
        raise ValueError(f"{name.decode()} is set by the client itself")
    prefix = name + b": "
    if len(_known_prefixes) < _MAX_KNOWN and len(name) <= _MAX_KNOWN_LENGTH:
        _known_prefixes[name] = prefix
    return prefix
