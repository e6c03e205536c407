"""Forwards a route's requests to its upstream without parsing them: same status, body and end-to-end headers."""

import math
import time
from collections.abc import Awaitable
from contextlib import aclosing
from http import HTTPStatus

from common.http.body import chunks, read_body
from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Headers, RawResponse, Response, StreamedResponse
from common.http.views import method_not_allowed
from gateway_site.forwarding.canary import Split
from gateway_site.forwarding.failures import problem_for
from gateway_site.forwarding.headers import end_to_end, forwarded
from gateway_site.forwarding.service import Service
from gateway_site.forwarding.streams import Chunks, not_in_flight, until_disconnect
from gateway_site.forwarding.websocket import SWITCHED, is_upgrade, relayed
from gateway_site.routes.field_names import one_of
from gateway_site.routes.table import Route
from packages.http_pool import Answer, Outgoing, UpstreamError

WHOLE_BODY_BYTES = 65_536
"""A body up to this size is buffered, and may be sent again; a larger one streams through."""

ALLOWED = {
    "/api/users": "GET, HEAD, OPTIONS, POST",
    "/api/users/{id}": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
}
"""The methods at these upstreams, for CONNECT, which cannot be forwarded."""

EVERY_METHOD = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


class Forward:
    """The view of one route. `services`: by name. `dropped`, `dropped_from_answers`: header fields that are not
    forwarded."""

    def __init__(
        self,
        route: Route,
        services: dict[str, Service],
        *,
        dropped: frozenset[bytes],
        dropped_from_answers: frozenset[bytes],
        max_body: int,
        max_answer: int,
    ) -> None:
        self._service, self._max_answer = services[route.upstream], max_answer
        asked, answered = route.request_headers, route.answer_headers
        self._is_dropped, self._added = one_of(dropped | asked.dropped), asked.added
        self._is_dropped_from_answer = one_of(dropped_from_answers | answered.dropped)
        self._added_to_answer = answered.added
        self._split = Split(route.canary, services[route.canary.upstream]) if route.canary else None
        self._prefix, self._rewrite = route.prefix.encode("ascii"), route.rewrite.encode("ascii")
        self._removed, self._timeout, self._retries = route.removed, route.timeout_ms / 1000, route.retries
        self._max_body = max_body if route.max_body_bytes is None else route.max_body_bytes
        self._methods = route.allowed
        self._is_stream, self._has_websocket, self._idle = route.stream, route.websocket, route.idle_timeout_ms / 1000

    async def serve(self, request: Request, identity: Headers | None = None) -> Response:
        """The upstream's answer; `identity`: the fields that name the caller.

        Raises Problem (404, 405, 413, 502, 503, 504).
        """
        if self._methods and request.method not in self._methods:
            raise method_not_allowed(", ".join(sorted(self._methods)))
        if request.method == "CONNECT":  # an answer to it would be the start of a tunnel (RFC 9110 §9.3.6)
            raise method_not_allowed(ALLOWED.get(request.route, EVERY_METHOD))
        outgoing, started = self._outgoing(request, identity or []), request.started
        if request.has_body:
            outgoing, started = await self._with_body(request, outgoing)
        service = self._service
        if self._split is not None and self._split.takes(request):
            service = self._split.service
        try:
            answer = await self._asked(service, outgoing, started)
        except Problem:
            is_late = time.perf_counter() - started >= self._timeout
            if service is self._service or not outgoing.is_safe or outgoing.is_streamed or is_late:
                raise
            service = self._service  # a read that the canary fails is retried at the stable upstream
            answer = await self._asked(service, outgoing, started)
        if answer.address:
            request.upstream_address = answer.address
        if answer.status >= 500:
            # The upstream's problem is not parsed: its access line with the same ID has the cause.
            request.code, request.reason = "forwarded", f"{service.name} answered {answer.status}"
        fields = end_to_end(answer.headers, self._is_dropped_from_answer)
        fields += self._added_to_answer
        if answer.body is not None:
            return RawResponse(answer.status, fields, answer.body)
        return await self._stream(request, outgoing, service, answer, fields)

    def _asked(self, service: Service, outgoing: Outgoing, started: float) -> Awaitable[Answer]:
        ask = service.stream if outgoing.idle else service.upload if outgoing.is_streamed else service.ask
        return ask(outgoing, started, self._timeout, self._retries)

    async def _stream(
        self, request: Request, outgoing: Outgoing, service: Service, answer: Answer, fields: Headers
    ) -> StreamedResponse:
        if outgoing.idle:
            request.seconds_to_head = time.perf_counter() - request.started
        if answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
            fields += SWITCHED
            chunks = not_in_flight(relayed(request, answer, self._max_body, self._max_answer))
        elif outgoing.idle:
            chunks = not_in_flight(answer.chunks() if outgoing.is_streamed else until_disconnect(request, answer))
        elif int(dict(fields).get(b"content-length", b"0")) > self._max_answer:
            await answer.aclose()
            raise _too_large(service)
        else:
            chunks = answer.chunks()
        pieces = _bounded(chunks, outgoing, service, math.inf if outgoing.idle else self._max_answer)

        async def close() -> None:
            if outgoing.idle:
                service.streams.release()
            await pieces.aclose()
            await answer.aclose()

        return StreamedResponse(answer.status, fields, pieces, close, is_live=outgoing.idle > 0)

    def _outgoing(self, request: Request, identity: Headers) -> Outgoing:
        """The request for the upstream, without its body."""
        fields, proxies = request.fields, request.site.proxies
        headers = end_to_end(fields, self._is_dropped)
        headers += self._added
        headers += forwarded(proxies.chain(fields, request.peer), request.origin, self._removed)
        headers.append((b"x-request-id", request.request_id.encode("ascii")))
        headers += identity
        upgrades = self._has_websocket and is_upgrade(request)
        idle = self._idle if self._is_stream or upgrades else 0
        return Outgoing(request.method, self._target(request), headers, b"", None, idle, upgrades)

    async def _with_body(self, request: Request, outgoing: Outgoing) -> tuple[Outgoing, float]:
        """The request with its body, and the start of its time."""
        length = request.content_length
        # A body of unknown length is buffered if it must be small: else a slow client would hold a pooled connection.
        if (self._max_body if length is None else length) > WHOLE_BODY_BYTES:
            return outgoing._replace(body=chunks(request, self._max_body), length=length), request.started
        body = await read_body(request, self._max_body)
        # The upstream's time must not be used up by a slow client.
        return outgoing._replace(body=body), time.perf_counter()

    def _target(self, request: Request) -> bytes:
        """The request target with `rewrite` in place of the prefix, otherwise byte for byte.

        Raises Problem (404) where the prefix is percent-encoded: it cannot be removed without decoding the rest.
        """
        path: bytes = request.scope["raw_path"]
        if not path.startswith(self._prefix):
            raise Problem("not-found", "No resource has this path.")
        path = self._rewrite + path[len(self._prefix) :] or b"/"
        query = request.scope["query_string"]
        return path + b"?" + query if query else path


async def in_maintenance(text: str, request: Request, identity: Headers | None = None) -> Response:
    """The view of a route with `maintenance`: forwards nothing. Raises Problem (503)."""
    raise Problem("upstream-unavailable", text, headers=[(b"retry-after", b"60")], reason="maintenance")


async def _bounded(chunks: Chunks, outgoing: Outgoing, service: Service, most: float) -> Chunks:
    """The chunks. Raises Problem if the body breaks off or is larger than allowed."""
    size = 0
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise _too_large(service)
                yield chunk
    except UpstreamError as error:
        raise problem_for(error, outgoing, service.subject) from error


def _too_large(service: Service) -> Problem:
    return Problem("bad-upstream", f"{service.subject}'s answer is too large.")
