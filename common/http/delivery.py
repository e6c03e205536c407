"""Sends an answer, with the header fields that every answer has."""

import asyncio

from asgiref.typing import ASGISendCallable

from common.http.request import Request
from common.http.response import Headers, RawResponse, Response, StreamedResponse
from common.observability import request_id

NO_SNIFFING, NO_STORE = (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")


async def deliver(request: Request, response: Response, send: ASGISendCallable) -> int:
    """Sends the answer; returns the number of body bytes sent."""
    headers = head(request, response)
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers, "trailers": False})
    if isinstance(response, StreamedResponse):
        return await _stream(response, send)
    body = b"" if request.method == "HEAD" else response.content
    await send({"type": "http.response.body", "body": body, "more_body": False})
    return len(body)


async def _stream(response: StreamedResponse, send: ASGISendCallable) -> int:
    sent = 0
    try:
        if response.is_live:
            await send({"type": "http.response.body", "body": b"", "more_body": True})  # the head
        async for chunk in response.chunks:
            sent += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        await asyncio.shield(response.aclose())
    return sent


def head(request: Request, response: Response) -> Headers:
    if isinstance(response, RawResponse):
        headers = list(response.raw_headers)
    else:
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    given = dict(headers)
    if b"x-content-type-options" not in given:
        headers.append(NO_SNIFFING)
    if b"cache-control" not in given:
        headers.append(NO_STORE)
    if request_id.HEADER not in given:
        headers.append((request_id.HEADER, request.request_id.encode("ascii")))
    if b"content-length" not in given and not response.streaming and response.status_code not in {204, 304}:
        length = len(response.content)
        if length or request.method != "HEAD":  # else unknown
            headers.append((b"content-length", b"%d" % length))
    headers += request.answer_fields
    return headers
