"""Which requests may be sent again, and how many: a share of recent traffic, so that retries cannot keep a service down."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from common.http.response import Headers
from gateway_site.forwarding.circuit import CircuitOpen
from packages.http_pool import ConnectFailed, ConnectTimeout, PoolFull, UpstreamError, UpstreamTimeout

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""A second PUT or DELETE could undo another client's change in between (RFC 9110 §9.2.2 allows it nevertheless)."""

SHARE = 0.2
RESERVE = 10.0
"""The initial budget: with little traffic a share of it is nothing."""

CEILING = 100.0


class Outgoing(NamedTuple):
    """A request to an upstream. `length`: of a body that streams, None where unknown. `idle`: its answer is passed on as it
    arrives, with so many seconds for each piece. `upgrades`: it asks for a WebSocket."""

    method: str
    target: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    idle: float = 0
    upgrades: bool = False

    @property
    def is_streamed(self) -> bool:
        return not isinstance(self.body, bytes)

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE


class RetryBudget:
    """Each request earns `SHARE` of a retry, each retry costs one (the token bucket of Finagle and Envoy)."""

    def __init__(self) -> None:
        self.tokens = RESERVE

    def earn(self) -> None:
        if self.tokens < CEILING:
            self.tokens += SHARE

    def spend(self) -> bool:
        """Takes one retry off the budget; False if there is none."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def may_repeat(error: UpstreamError, request: Outgoing) -> bool:
    """Whether a retry is safe (apache/apisix#11359, Kong/kong#3754)."""
    if isinstance(error, (UpstreamTimeout, PoolFull, ConnectTimeout, CircuitOpen)):
        return False  # a retry would need time or connections that are exhausted
    if request.is_streamed:
        return False  # the body is consumed
    if isinstance(error, ConnectFailed) or not error.sent:
        return True
    has_key = request.method == "POST" and any(name == b"idempotency-key" for name, _ in request.headers)
    return request.is_safe or has_key
