"""A request head as bytes: serialized in one join, refused when it could be read as anything else."""

import re

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"})  # RFC 9110 §9.2.2

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_TARGET = re.compile(rb"[^\x21-\x7e\x80-\xff]")
_EXPECT_CONTENT = frozenset({b"POST", b"PUT", b"PATCH"})
_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})

# Methods and names that were checked once. Bounded: what clients send must not fill our memory.
_MAX_KNOWN = 1024
_known_methods = set(IDEMPOTENT | _EXPECT_CONTENT)
_known_prefixes: dict[bytes, bytes] = {}

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
NO_CONTENT = b"\r\n"


def framing(method: bytes, length: int) -> bytes:
    """The last line of the head for a body of `length` bytes (RFC 9110 §8.6)."""
    if length or method in _EXPECT_CONTENT:
        return b"Content-Length: %d\r\n\r\n" % length
    return NO_CONTENT


def serialize(method: bytes, target: bytes, host: bytes, headers: list[tuple[bytes, bytes]], frame: bytes) -> bytes:
    """The request's head. Raises ValueError for anything that would change its meaning on the wire."""
    if method not in _known_methods and (method == b"CONNECT" or not _TOKEN.fullmatch(method)):
        raise ValueError(f"not a request method to forward: {method!r}")
    if not target or _NOT_IN_TARGET.search(target):
        raise ValueError("the request target is empty or has white space or control characters")
    prefixes = _known_prefixes
    lines = [b"%b %b HTTP/1.1" % (method, target), host]
    for name, value in headers:
        lines.append((prefixes.get(name) or _prefix(name)) + value)
    lines.append(frame)
    head = b"\r\n".join(lines)
    # One count finds what a look at each value would: no line may hold an end of line of its own.
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
    if len(_known_prefixes) < _MAX_KNOWN:
        _known_prefixes[name] = prefix
    return prefix
