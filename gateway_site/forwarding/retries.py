"""Which requests may be retried, and how many: a share of recent traffic, so that retries cannot overload a failing
service."""

from gateway_site.forwarding.circuit import CircuitOpen
from packages.http_pool import ConnectFailed, ConnectTimeout, Outgoing, PoolFull, UpstreamError, UpstreamTimeout

SHARE = 0.2
RESERVE = 10.0
"""The initial budget: under little traffic, a share of it would be nothing."""

CEILING = 100.0


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
    """Whether a retry is safe (apache/apisix#11359, Kong/kong#3754). RFC 9110 §9.2.2 would allow it for PUT and DELETE
    too."""
    if isinstance(error, (UpstreamTimeout, PoolFull, ConnectTimeout, CircuitOpen)):
        return False  # a retry would need time or connections that are exhausted
    if request.is_streamed:
        return False  # the body is consumed
    if isinstance(error, ConnectFailed) or not error.sent:
        return True
    has_key = request.method == "POST" and any(name == b"idempotency-key" for name, _ in request.headers)
    return request.is_safe or has_key
