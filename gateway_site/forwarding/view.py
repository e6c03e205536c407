"""Forwards `/api/users…` to the user service, unread: same status, body and end-to-end headers."""

import time
from collections.abc import AsyncIterator

from common.http.body import chunks, read_body
from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Headers, RawResponse, Response, StreamedResponse
from common.http.views import method_not_allowed
from gateway_site.forwarding.headers import Dropped, end_to_end, forwarded
from gateway_site.forwarding.retries import Outgoing
from gateway_site.forwarding.user_service import UserService, problem_for
from packages.http_pool import Answer, UpstreamError

PREFIX = "/api"
WHOLE_BODY_BYTES = 65_536
"""A body up to this size is buffered, and may be sent again; a larger one streams through."""

ALLOWED = {
    "/api/users": "GET, HEAD, OPTIONS, POST",
    "/api/users/{id}": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
}
"""The user service's methods, for CONNECT, which cannot be forwarded."""

TOO_LARGE = "The user service's answer is too large."


class Forward:
    """The view of `/api/users…`. `dropped`: header fields of clients that do not cross. `max_answer` is in bytes."""

    def __init__(self, users: UserService, *, dropped: Dropped, max_answer: int) -> None:
        self._users, self._dropped, self._max_answer = users, dropped, max_answer

    async def serve(self, request: Request, identity: Headers | None = None, **path_parameters: str) -> Response:
        """The user service's answer; `identity`: the fields that name the caller.

        Raises Problem (405, 413, 502, 503, 504).
        """
        if request.method == "CONNECT":  # an answer to it would be the start of a tunnel (RFC 9110 §9.3.6)
            raise method_not_allowed(ALLOWED[request.route])
        outgoing, started = await self._outgoing(request, identity or [])
        answer = await self._users.ask(outgoing, started)
        if (
            answer.status >= 500
        ):  # its problem is not read: the access line of the same ID at the user service has the cause
            request.code, request.reason = "forwarded", f"user-service answered {answer.status}"
        fields = end_to_end(answer.headers)
        if answer.body is not None:
            return RawResponse(answer.status, fields, answer.body)
        if int(dict(fields).get(b"content-length", b"0")) > self._max_answer:
            await answer.aclose()
            raise Problem("bad-upstream", TOO_LARGE)
        return StreamedResponse(answer.status, fields, self._streamed(answer, outgoing), answer.aclose)

    async def _outgoing(self, request: Request, identity: Headers) -> tuple[Outgoing, float]:
        """The request for the user service, and when its time began."""
        fields, proxies = request.fields, request.site.proxies
        headers = end_to_end(fields, self._dropped)
        headers += forwarded(proxies.chain(fields, request.peer), request.origin, PREFIX)
        headers.append((b"x-request-id", request.request_id.encode("ascii")))
        headers += identity
        method, length = request.method, request.content_length
        if not request.has_body:
            return Outgoing(method, target(request), headers), request.started
        # Of unknown length: buffered if no larger body is allowed, or a slow client would hold a pooled connection.
        if (request.site.max_body_bytes if length is None else length) > WHOLE_BODY_BYTES:
            return Outgoing(method, target(request), headers, chunks(request), length), request.started
        body = await read_body(request)
        # The user service's time must not be used up by a slow client.
        return Outgoing(method, target(request), headers, body, length), time.perf_counter()

    async def _streamed(self, answer: Answer, outgoing: Outgoing) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Problem when it breaks off or is larger than allowed."""
        size = 0
        try:
            async for chunk in answer.chunks():
                size += len(chunk)
                if size > self._max_answer:
                    raise Problem("bad-upstream", TOO_LARGE)
                yield chunk
        except UpstreamError as error:
            raise problem_for(error, outgoing) from error


def target(request: Request) -> bytes:
    """The request target without our prefix, otherwise byte for byte.

    Raises Problem (404) where the prefix is percent-encoded: it cannot be removed without decoding the rest.
    """
    path: bytes = request.scope["raw_path"]
    if not path.startswith(b"/api/users"):
        raise Problem("not-found", "No resource has this path.")
    path = path.removeprefix(PREFIX.encode())
    query = request.scope["query_string"]
    return path + b"?" + query if query else path
