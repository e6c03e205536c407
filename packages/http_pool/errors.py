"""What an upstream can do to a request.

UpstreamError            .sent: may a byte of the request have left this process?
├── ConnectFailed        refused, unreachable, unknown name, TLS not trusted      never sent
│   └── ConnectTimeout   no connection within `connect_timeout`                   never sent
├── PoolFull             every connection busy and the queue for one at its bound never sent
├── ConnectionReset      closed before the first byte of an answer; .reused: on a kept-alive connection
├── BadAnswer            an answer came and cannot be trusted, or broke off       always sent
└── UpstreamTimeout      the request's whole budget is spent
    └── BodyTimeout      … while the request's own body was still to come: its client is slow

A retry is harmless for any method while `sent` is false, and for idempotent methods otherwise.
"""


class UpstreamError(Exception):
    """No answer, or not all of it. The message names the origin's host and port, never the target."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(UpstreamError):
    """No connection: refused, unreachable, name not found, certificate not trusted, pool closed."""


class ConnectTimeout(ConnectFailed):
    """No connection within `connect_timeout`, TLS handshake included."""


class PoolFull(UpstreamError):
    """`max_connections` are busy and `max_waiting` requests wait for one already."""


class ConnectionReset(UpstreamError):
    """The connection ended before the first byte of an answer.

    With `reused` it had been kept alive: the likely reason is that the other side closed it while idle.
    """

    def __init__(self, message: str, *, sent: bool, reused: bool = False) -> None:
        super().__init__(message, sent=sent)
        self.reused = reused


class BadAnswer(UpstreamError):
    """Not HTTP/1, ambiguous framing, oversize head, more bytes than one answer, or a truncated body."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class UpstreamTimeout(UpstreamError):
    """The request's `timeout` passed before its answer was complete."""


class BodyTimeout(UpstreamTimeout):
    """The request's `timeout` passed while its own body was still to come: the upstream waits as we do."""
