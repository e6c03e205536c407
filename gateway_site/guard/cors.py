"""Which pages of other origins may call from a browser (CORS; Fetch standard §3.3): exact origins, no wildcard, no cookies."""

from common.http.request import Request
from common.http.response import Fields, RawResponse

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
FIELDS = (
    b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-API-Key, X-Request-ID, "
    b"traceparent, tracestate"
)
EXPOSED = (
    b"Allow, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-Durability, X-Request-ID"
)
MAX_AGE_SECONDS = b"600"

VARY = (b"vary", b"Origin")


class Cors:
    """`origins`: as browsers send them, `https://app.example.com`."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    def preflight(self, request: Request) -> RawResponse | None:
        """The answer to a browser that asks before it sends; None to anybody else, and to pages that are not listed."""
        given = request.raw_headers
        if b"access-control-request-method" not in given or given.get(b"origin") not in self._origins:
            return None
        headers = [
            (b"access-control-allow-origin", given[b"origin"]),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", FIELDS),
            (b"access-control-max-age", MAX_AGE_SECONDS),
            VARY,
        ]
        return RawResponse(204, headers)

    def fields(self, request: Request) -> Fields:
        """What an answer carries."""
        origin = request.raw_headers.get(b"origin")
        if origin not in self._origins:
            return (VARY,)
        return (b"access-control-allow-origin", origin), (b"access-control-expose-headers", EXPOSED), VARY
