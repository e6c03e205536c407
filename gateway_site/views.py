"""Forwards `/api/users…` to the user service, unread: same status, body and end-to-end headers."""

from collections.abc import AsyncIterator

from django.http import HttpResponse

from common.problems import Problem
from common.request import Request
from common.response import RawResponse, StreamedResponse
from gateway_site import settings
from gateway_site.headers import NOT_FORWARDED, client_address, end_to_end, forwarded
from gateway_site.upstream import Answer, UpstreamError
from gateway_site.user_service import ask, problem_for

PREFIX = b"/api"
WHOLE_BODY_BYTES = 65_536
"""A body up to this size is sent in one piece, and so may be sent again; a larger one streams through."""


async def forward(request: Request, **path_parameters: str) -> HttpResponse:
    """The user service's answer to this request. Raises Problem (413, 502, 503, 504)."""
    peer = request.peer
    given = request.scope["headers"]
    request.remote_addr = client_address(given, peer, settings.TRUSTED_PROXIES)
    headers = end_to_end(given, NOT_FORWARDED)
    headers += forwarded(given, peer, request.scope["scheme"], PREFIX, settings.TRUSTED_PROXIES)
    headers.append((b"x-request-id", request.request_id.encode("ascii")))
    length = request.content_length
    body: bytes | AsyncIterator[bytes] = b""
    if request.has_body:
        is_small = length is not None and length <= WHOLE_BODY_BYTES
        body = await request.read_body() if is_small else request.chunks()
    answer = await ask(request.method or "", target(request), headers, body, length, request.started)
    fields = end_to_end(answer.headers)
    if answer.body is not None:
        return RawResponse(answer.status, fields, answer.body)
    return StreamedResponse(answer.status, fields, streamed(answer), answer.aclose)


async def streamed(answer: Answer) -> AsyncIterator[bytes]:
    """The body of an answer as it arrives. Raises Problem when it breaks off."""
    try:
        async for chunk in answer.chunks():
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
