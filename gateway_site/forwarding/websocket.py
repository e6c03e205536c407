"""Passes the bytes of a WebSocket in both directions, after its upstream has answered 101."""

import asyncio
from contextlib import suppress

from common.http.request import Request
from common.http.response import Headers
from common.server.refusal import Refusal
from gateway_site.forwarding.frames import Close, Frames, Violation, closing
from gateway_site.forwarding.streams import Chunks
from packages.http_pool import Answer, UpstreamError

SWITCHED: Headers = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


def is_upgrade(request: Request) -> bool:
    """Whether the client asks for a WebSocket, and the server can give it one."""
    return "websocket" in (request.scope.get("extensions") or {})


async def relayed(request: Request, answer: Answer, most: int, most_down: int) -> Chunks:
    """The bytes for the client; meanwhile sends the client's to the upstream. `most`, `most_down`: the largest message
    from and to the client.

    Sends a Close frame when the gateway stops, after silence, and for a message that is too large.
    """
    up, down, code = Frames(most), Frames(most_down), Close.BAD_GATEWAY
    is_between = True
    sending = asyncio.create_task(_sent(request, answer, up))
    sending.add_done_callback(lambda _: answer.cut())
    try:
        async for chunk in answer.chunks():
            down.feed(chunk)
            yield chunk
            is_between = down.is_between
        if sending.done():
            code = sending.result()
    except Violation as error:
        code = error.code
    except UpstreamError as error:
        request.reason = error.reason
        code = Close.GOING_AWAY if error.reason == "timeout" else code
    finally:
        sending.cancel()
    if is_between and not down.is_closed:
        yield closing(code)


async def _sent(request: Request, answer: Answer, frames: Frames) -> Close:
    """Sends until the client or the server ends; returns the status code for the other end."""
    with suppress(UpstreamError):  # `relayed` gets this error too
        with suppress(Refusal):  # the client sends too much
            while (message := await request.receive())["type"] == "http.request":
                try:
                    frames.feed(message["body"])
                except Violation as error:
                    return error.code
                await answer.send(message["body"])
        if frames.is_between and not frames.is_closed:
            await answer.send(closing(Close.GOING_AWAY, masked=True))
            await asyncio.sleep(0)  # the event loop writes it before the connection is closed
    return Close.GOING_AWAY
