"""An ASGI application whose first request blocks the event loop."""

import time
from typing import Any

SECONDS = 60


async def application(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await receive()
    time.sleep(SECONDS)  # noqa: ASYNC251 - the fault that is tested
