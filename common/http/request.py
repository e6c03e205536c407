"""The request as both sites see it: bytes as they came, everything dearer made only when asked for."""

import time
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

from asgiref.typing import ASGIReceiveCallable, HTTPScope
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.urls import ResolverMatch, resolve
from django.utils.functional import cached_property

from common.http import request_id
from common.http.overload import MAX_IN_FLIGHT, refuse
from common.http.problems import Problem
from common.http.proxies import is_trusted
from common.http.response import Fields
from common.observability.load import in_flight

UNMATCHED = "unmatched"
MAX_BODY_BYTES: int = settings.MAX_BODY_BYTES
BODY_SECONDS, BODY_RATE = 10.0, 1000
"""How long a body may take, and how much longer for each byte (per second): slower is an attack or a lost client."""

UNFINISHED_BYTES = 32 * 1024 * 1024
"""How much of bodies that are not complete is held in memory, over all clients; whose is above that is refused."""


class Unfinished:
    """What is held now."""

    bytes = 0


class ClientGone(Exception):
    """The client closed the connection, or sent no byte for too long, before its body was complete."""


class Request(ASGIRequest):
    """Django's ASGI request, without the 8 µs of `META`, `GET` and content type that most answers never read."""

    principal: str | None = None
    """Who asks, for logs, where a site has found that out: `key:reporting`."""

    answer_fields: Fields = ()
    """Header fields that the answer is to carry, whoever makes it, beside its own."""

    def __init__(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, started: float = 0.0, urlconf: Any = None
    ) -> None:
        # Not super().__init__(): it builds META from every header. What it sets is set or made lazily here.
        self.scope = scope
        self.receive = receive
        self.started = started  # time.perf_counter() when its head was there
        self.path = self.path_info = scope["path"]
        self.method = scope["method"]
        self.route = UNMATCHED
        self.script_name = ""
        self.urlconf = urlconf  # Django resolves against it
        self._read_started = False
        self._post_parse_error = False
        self._body = b""
        self._body_is_read = False
        self.raw_headers = dict(scope["headers"])  # of a repeated field the last; `header_values` has all
        self.request_id = request_id.choose(self.raw_headers.get(request_id.HEADER))

    def header(self, name: bytes) -> str | None:
        """One field by its lower-case name, as latin-1 text."""
        value = self.raw_headers.get(name)
        return None if value is None else value.decode("latin-1")

    def header_values(self, name: bytes) -> str | None:
        """A list field by its lower-case name, its lines joined by commas (RFC 9110 §5.2)."""
        if name not in self.raw_headers:
            return None
        return ", ".join(value.decode("latin-1") for key, value in self.scope["headers"] if key == name)

    @cached_property
    def resolver_match(self) -> ResolverMatch:  # type: ignore[override]
        """Django's view of the route, for what is built on it; ours is `route`, the template that metrics show."""
        return resolve(self.path_info, self.urlconf)

    @cached_property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # noqa: N802 - Django's name
        return self._full.META

    @cached_property
    def content_type(self) -> str | None:  # type: ignore[override]
        return self._full.content_type

    @cached_property
    def content_params(self) -> dict[str, str] | None:  # type: ignore[override]
        return self._full.content_params

    @cached_property
    def _full(self) -> ASGIRequest:
        return ASGIRequest(dict(self.scope), BytesIO(self._body))

    @cached_property
    def _stream(self) -> BytesIO:  # type: ignore[override]
        return BytesIO(self._body)

    @property
    def wants_page(self) -> bool:
        """Whether a browser asks: programs that take HTML too take JSON, which no browser names."""
        accept = self.raw_headers.get(b"accept", b"")
        return b"text/html" in accept and b"json" not in accept

    @property
    def client_path(self) -> str:
        """The path that the client asked for: what trusted proxies before us took off stands in X-Forwarded-Prefix."""
        prefix = self.header(b"x-forwarded-prefix") if is_trusted(self.peer, settings.TRUSTED_PROXIES) else None
        path: str = self.scope["raw_path"].decode("latin-1")
        return (prefix or "") + path

    @property
    def peer(self) -> str:
        """The address at the other end of the connection; empty on a Unix socket."""
        client = self.scope["client"]
        return str(client[0]) if client else ""

    @cached_property
    def remote_addr(self) -> str:
        """Who asks, for logs and limits: the peer, unless a site that knows its proxies says otherwise."""
        return self.peer

    @property
    def content_length(self) -> int | None:
        """The body's length as announced; the server has checked that it is a number."""
        value = self.raw_headers.get(b"content-length")
        return None if value is None else int(value)

    @property
    def has_body(self) -> bool:
        """Whether the head announces a body (RFC 9112 §6.3)."""
        return self.raw_headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.raw_headers

    async def read_body(self) -> bytes:
        """The whole body, at most `MAX_BODY_BYTES`. Raises Problem (413) unread where the head already tells."""
        if not self._body_is_read:
            if self.has_body:
                self._body = await self._whole_body()
                if in_flight.count > MAX_IN_FLIGHT:  # many bodies became complete at once
                    await refuse()
            self._body_is_read = True
        return self._body

    async def _whole_body(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        try:
            async for chunk in self.chunks():
                pieces.append(chunk)
                size += len(chunk)
                Unfinished.bytes += len(chunk)
                if Unfinished.bytes > UNFINISHED_BYTES:
                    await refuse()
        finally:
            Unfinished.bytes -= size
        return b"".join(pieces)

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, counted. Raises Problem (413) at once where the head tells, else once it is too
        large; ClientGone when it breaks off."""
        if (self.content_length or 0) > MAX_BODY_BYTES:
            raise Problem("body-too-large", f"The body is larger than {MAX_BODY_BYTES} bytes.")
        return self._chunks(MAX_BODY_BYTES)

    async def _chunks(self, limit: int) -> AsyncIterator[bytes]:
        received, more = 0, True
        started = time.monotonic()
        while more:
            # Waiting for a slow client is no work: a few hundred of them would have everybody else refused.
            with in_flight.paused():
                message = await self.receive()
            if message["type"] != "http.request":
                raise ClientGone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            received += len(chunk)
            if more and time.monotonic() - started > BODY_SECONDS + received / BODY_RATE:
                raise ClientGone
            if received > limit:
                raise Problem("body-too-large", f"The body is larger than {limit} bytes.")
            if chunk:
                yield chunk
