"""Which requests may be sent again, and how many: a share of recent traffic, or retries are what keeps a sick service down."""

from collections.abc import AsyncIterator

from common.http.response import Headers
from packages.http_pool import ConnectFailed, ConnectTimeout, PoolFull, UpstreamError, UpstreamTimeout

ATTEMPTS = 3
"""The first try included."""

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
"""RFC 9110 §9.2.2."""

SHARE = 0.2
RESERVE = 10.0
"""A budget that is never used up by less than this many retries: with little traffic a share of it is nothing."""

CEILING = 100.0


class RetryBudget:
    """Each request earns `SHARE` of a retry, each retry costs one (the token bucket of Finagle and Envoy)."""

    def __init__(self) -> None:
        self.tokens = RESERVE

    def earn(self) -> None:
        """A request is sent for the first time."""
        if self.tokens < CEILING:
            self.tokens += SHARE

    def spend(self) -> bool:
        """Whether a retry may be sent; takes it off the budget."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def is_harmless(error: UpstreamError, method: str, headers: Headers, body: bytes | AsyncIterator[bytes]) -> bool:
    """Whether sending again cannot do what was done already a second time (apache/apisix#11359, Kong/kong#3754)."""
    if isinstance(error, (UpstreamTimeout, PoolFull, ConnectTimeout)):
        return False  # its time is up, or what it would need is just what is short
    if not isinstance(body, bytes):
        return False  # it is gone
    if isinstance(error, ConnectFailed) or not error.sent:
        return True
    return method in IDEMPOTENT or any(name == b"idempotency-key" for name, _ in headers)
