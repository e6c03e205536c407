"""CORS (Fetch standard §3.3) for exact origins, without wildcards and cookies."""

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
EXPOSE = (b"access-control-expose-headers", EXPOSED)
PREFLIGHT = (
    (b"access-control-allow-methods", METHODS),
    (b"access-control-allow-headers", FIELDS),
    (b"access-control-max-age", b"600"),
)
VARY = (b"vary", b"Origin")


class Cors:
    """`origins`: as browsers send them, `https://app.example.com`."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def open(self, request: Request) -> RawResponse | None:
        """Adds the fields to every answer, errors included; answers the preflight request of a listed origin."""
        given, origin = request.raw_headers, request.raw_headers.get(b"origin")
        fields: Fields = (VARY,)
        answer = None
        if origin in self._origins:
            fields += ((b"access-control-allow-origin", origin),)
            if request.method == "OPTIONS" and b"access-control-request-method" in given:
                fields += PREFLIGHT
                answer = RawResponse(204, [])
            else:
                fields += (EXPOSE,)
        request.answer_fields += fields
        return answer
