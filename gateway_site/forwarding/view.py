"""Forwards `/api/users…` to the user service, unread: same status, body and end-to-end headers."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from common.http.body import chunks, read_body
from common.http.problem import Problem
from common.http.request import Request
from common.http.response import RawResponse, Response, StreamedResponse
from common.http.views import View, method_not_allowed
from gateway_site import settings
from gateway_site.forwarding.headers import (
    FROM_CLIENT,
    FROM_CLIENT_WITHOUT_CREDENTIALS,
    client_address,
    end_to_end,
    forwarded,
)
from gateway_site.forwarding.user_service import ask, problem_for
from packages.http_pool import Answer, UpstreamError

PREFIX = b"/api"
WHOLE_BODY_BYTES = 65_536
"""A body up to this size is sent in one piece, and so may be sent again; a larger one streams through."""

ALLOWED = {
    "/api/users": "GET, HEAD, OPTIONS, POST",
    "/api/users/{id}": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
}
"""What the user service's paths know, for the one method that it cannot be asked with."""

TOO_LARGE = "The user service's answer is too large."

DROPPED = FROM_CLIENT_WITHOUT_CREDENTIALS if settings.AUTH else FROM_CLIENT


async def forward(request: Request, identity: Iterable[tuple[bytes, bytes]] = (), **path_parameters: str) -> Response:
    """The user service's answer to this request; `identity`: what it is told of who is calling. Raises Problem (405, 413,
    502, 503, 504)."""
    peer = request.peer
    given = request.fields
    request.remote_addr = client_address(given, peer, settings.TRUSTED_PROXIES)
    if request.method == "CONNECT":  # an answer to it would be the start of a tunnel (RFC 9110 §9.3.6)
        raise method_not_allowed(ALLOWED[request.route])
    headers = end_to_end(given, DROPPED)
    headers += forwarded(given, peer, request.scope["scheme"], PREFIX, settings.TRUSTED_PROXIES)
    headers.append((b"x-request-id", request.request_id.encode("ascii")))
    headers += identity
    length, started = request.content_length, request.started
    body: bytes | AsyncIterator[bytes] = b""
    if request.has_body:
        # Of unknown length: whole too where nothing larger is allowed, or a slow client would hold a connection of the pool.
        is_small = (settings.MAX_BODY_BYTES if length is None else length) <= WHOLE_BODY_BYTES
        if is_small:
            body = await read_body(request)
            started = time.perf_counter()  # the user service is not to pay for a slow client
        else:
            body = chunks(request)
    answer = await ask(request.method or "", target(request), headers, body, length, started)
    fields = end_to_end(answer.headers)
    if answer.body is not None:
        return RawResponse(answer.status, fields, answer.body)
    if int(dict(fields).get(b"content-length", b"0")) > settings.MAX_ANSWER_BYTES:
        await answer.aclose()
        raise Problem("bad-upstream", TOO_LARGE)
    return StreamedResponse(answer.status, fields, streamed(answer), answer.aclose)


async def streamed(answer: Answer) -> AsyncIterator[bytes]:
    """The body of an answer as it arrives. Raises Problem when it breaks off, or is larger than MAX_ANSWER_BYTES."""
    size = 0
    try:
        async for chunk in answer.chunks():
            size += len(chunk)
            if size > settings.MAX_ANSWER_BYTES:
                raise Problem("bad-upstream", TOO_LARGE)
            yield chunk
    except UpstreamError as error:
        raise problem_for(error) from error


def target(request: Request) -> bytes:
    """The request target behind the gateway: as it came, unread, without our prefix. Raises Problem (404) where the
    prefix came percent-encoded: it could not be taken off without reading the rest."""
    path: bytes = request.scope["raw_path"]
    if not path.startswith(PREFIX):
        raise Problem("not-found", "No resource has this path.")
    path = path.removeprefix(PREFIX)
    query = request.scope["query_string"]
    return path + b"?" + query if query else path


users: View = forward
"""The view of `/api/users…`, behind the guard where the settings ask for one."""

on_stop: Sequence[Callable[[], Awaitable[None]]] = ()
"""What to await once the server has stopped."""

if settings.GUARDED:
    from gateway_site.guard import view as guard

    users, on_stop = guard.guarded(forward), guard.on_stop
