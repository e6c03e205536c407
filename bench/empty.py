"""The floor of a service: an ASGI application that answers 200 bytes and does nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b'{"status":"alive"}' + b" " * 182
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(HEAD)
    await send({"type": "http.response.body", "body": BODY})
