"""The failures of a request to an upstream.

UpstreamError            .sent: whether a byte of the request may have been sent; .reason: a word for logs and metrics;
│                        .address: of the attempt, if the upstream has several
├── ConnectFailed        refused, unreachable, unknown name, pool closed                       never sent
│   ├── Untrusted        its certificate is not from a trusted authority, or for another name  never sent
│   └── ConnectTimeout   no connection within `connect_timeout`, TLS handshake included        never sent
├── PoolFull             `max_connections` are busy; the queue is full, or the wait too long   never sent
├── ConnectionReset      closed before the first byte of an answer; .reused: on a kept-alive connection
├── BadAnswer            not HTTP/1, ambiguous framing, oversize head, truncated body          always sent
└── UpstreamTimeout      the request's `timeout` passed before its answer was complete
    └── BodyTimeout      … while the request's own body was still arriving: its client is slow

While `sent` is false, any method may be retried.
"""


class InvalidRequest(ValueError):
    """HTTP cannot represent the request, or its body does not have the announced length. Not an UpstreamError."""


class UpstreamError(Exception):
    """The message names the origin's host and port, never the target."""

    reason = "error"
    address = ""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(UpstreamError):
    reason = "refused"


class Untrusted(ConnectFailed):
    reason = "untrusted"


class ConnectTimeout(ConnectFailed):
    reason = "connect_timeout"


class PoolFull(UpstreamError):
    reason = "pool_full"


class ConnectionReset(UpstreamError):
    reason = "reset"

    def __init__(self, message: str, *, sent: bool, reused: bool = False) -> None:
        super().__init__(message, sent=sent)
        self.reused = reused


class BadAnswer(UpstreamError):
    reason = "bad_answer"

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class UpstreamTimeout(UpstreamError):
    reason = "timeout"


class BodyTimeout(UpstreamTimeout):
    reason = "body_timeout"
