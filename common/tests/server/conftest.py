"""The server's protocol in this process, before an application of the test's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from common.server.protocol import Protocol
from common.server.refusal import Refusal

SECONDS = 5
Application = Callable[..., Awaitable[None]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with method, path and body; a refusal with its status."""
    status, body, more = 200, b"", True
    try:
        if "refusal" in scope["extensions"]:
            raise Refusal(**scope["extensions"]["refusal"])
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
    except Refusal as refusal:
        status, body = refusal.status, b""
    text = f"{scope['method']} {scope['path']} ".encode() + body
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


def answering(status: int, *headers: tuple[bytes, bytes], body: bytes = b"", after: float = 0) -> Application:
    """Answers every request like this, after so many seconds."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(after)
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return application


def waiting(event: asyncio.Event, *, reads: int) -> Application:
    """Answers every request once the event is set, after so many reads."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(reads):
            await receive()
        await event.wait()
        await answering(204)(scope, receive, send)

    return application


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[bytes, bytes]:
        """Head and body of the next answer that has a Content-Length."""
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.split(b"\r\n") if line.startswith(b"content-length: ")]
            return head, await self.reader.readexactly(int(lengths[0].split()[1])) if lengths else b""

    async def rest(self) -> bytes:
        """The bytes until the server closes."""
        async with asyncio.timeout(SECONDS):
            return await self.reader.read()


class Running:
    """A server, its connections, and its clients."""

    def __init__(self, port: int, state: ServerState) -> None:
        self.port, self.state = port, state

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.01)

    def expire(self, seconds: float) -> None:
        """As the server does once a second, `seconds` from now."""
        for connection in self.connections():
            connection.expire(time.monotonic() + seconds)

    def connections(self) -> list[Protocol]:
        return list(cast("set[Protocol]", self.state.connections))


@asynccontextmanager
async def serving(application: Application = echo) -> AsyncIterator[Running]:
    config = uvicorn.Config(application, http="common.server.protocol:Protocol", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(config, state), "127.0.0.1", 0)
    try:
        yield Running(server.sockets[0].getsockname()[1], state)
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        async with asyncio.timeout(SECONDS):
            while any(connection.exchange is None for connection in state.connections):
                await asyncio.sleep(0.01)


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with serving() as running:
        yield running
