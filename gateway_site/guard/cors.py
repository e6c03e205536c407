"""CORS (Fetch standard §3.3): pages of exact origins may call from a browser; no wildcard, no cookies."""

from common.http.request import Request
from common.http.response import RawResponse

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
FIELDS = (
    b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-API-Key, X-Request-ID, "
    b"traceparent, tracestate"
)
EXPOSED = (
    b"Allow, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-Durability, X-Request-ID"
)
PREFLIGHT = (
    (b"access-control-allow-methods", METHODS),
    (b"access-control-allow-headers", FIELDS),
    (b"access-control-max-age", b"600"),
)
VARY = (b"vary", b"Origin")


class Cors:
    """`origins`: as browsers send them, `https://app.example.com`."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    def open(self, request: Request) -> RawResponse | None:
        """Adds the fields to the answer of any request, an error's too; answers the preflight request of a listed origin."""
        given = request.raw_headers
        origin = given.get(b"origin")
        if origin not in self._origins:
            request.answer_fields += (VARY,)
            return None
        allow = (b"access-control-allow-origin", origin)
        if request.method == "OPTIONS" and b"access-control-request-method" in given:
            request.answer_fields += (allow, *PREFLIGHT, VARY)
            return RawResponse(204, [])
        request.answer_fields += (allow, (b"access-control-expose-headers", EXPOSED), VARY)
        return None
