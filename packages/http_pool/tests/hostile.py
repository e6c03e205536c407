"""An HTTP/1.1 server that follows a test's script, well-formed or not."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from packages.http_pool import Answer, Outgoing, Upstream, UpstreamError
from tests.scripted import Scripted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Seen(NamedTuple):
    """A request as it arrived."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Peer:
    """The server's end of its connection of this number, from 1."""

    server: "Hostile"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def head(self) -> Seen:
        """The next request's head, recorded in the server's `seen`."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        line, *rest = raw[:-4].split(b"\r\n")
        headers = [(name, value) for name, _, value in (field.partition(b": ") for field in rest)]
        seen = Seen(line, headers, b"")
        self.server.seen.append(seen)
        return seen

    async def request(self) -> Seen:
        """The next request with its whole body, in any framing."""
        seen = await self.head()
        body = bytearray()
        if seen.values(b"transfer-encoding") == [b"chunked"]:
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += await self.reader.readexactly(size)
                assert await self.reader.readuntil(b"\r\n") == b"\r\n"
            assert await self.reader.readuntil(b"\r\n") == b"\r\n"
        elif lengths := seen.values(b"content-length"):
            body += await self.reader.readexactly(int(lengths[0]))
        self.server.seen[-1] = seen._replace(body=bytes(body))
        return self.server.seen[-1]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *answers: bytes) -> None:
        """Read a request for each of the answers and send it."""
        for data in answers:
            await self.request()
            await self.send(data)

    def reset(self) -> None:
        """Close with RST, as a process that was killed with unread data does."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Until the client has closed the connection."""
        while await self.reader.read(65536):
            pass


Script = Callable[[Peer], Awaitable[None]]


class Hostile(Scripted):
    """Runs the script once for each connection."""

    def __init__(self, script: Script) -> None:
        super().__init__(lambda reader, writer: script(Peer(self, reader, writer, self.opened)))
        self.seen: list[Seen] = []
        self.url = ""

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, name: str | None = None
    ) -> None:
        await super().start(host, port, tls)
        shown = name or (f"[{host}]" if ":" in host else host)
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"


def always(*answers: bytes) -> Script:
    """Answer the requests of each connection with these, then end it."""

    async def script(peer: Peer) -> None:
        await peer.answer(*answers)

    return script


def forever(answer: bytes = OK) -> Script:
    """Answer every request with this, on any number of connections."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(answer)

    return script


def once(*pieces: bytes, pause: float = 0.0, resets: bool = False) -> Script:
    """Answer a request's head with these pieces, each before a pause; then reset the connection, or wait for its end."""

    async def script(peer: Peer) -> None:
        await peer.head()
        for piece in pieces:
            await peer.send(piece)
            await asyncio.sleep(pause)
        if resets:
            peer.reset()
        await peer.until_closed()

    return script


async def ask(
    upstream: Upstream,
    method: str,
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes | AsyncIterator[bytes] = b"",
    length: int | None = None,
    *,
    target: bytes = b"/",
    timeout: float = 10.0,  # noqa: ASYNC109
    avoided: Collection[str] = (),
) -> Answer:
    """A request's answer."""
    return await upstream.request(Outgoing(method, target, headers or [], body, length), timeout, avoided=avoided)


async def get(upstream: Upstream, target: bytes = b"/", timeout: float = 10.0) -> Answer:  # noqa: ASYNC109
    """A GET's answer."""
    return await ask(upstream, "GET", target=target, timeout=timeout)


async def fate_of(request: Awaitable[Answer]) -> tuple[type[UpstreamError], bool]:
    """With which error a request ends, and whether a byte of it may have been sent."""
    with pytest.raises(UpstreamError) as caught:
        await request
    return type(caught.value), caught.value.sent


async def get_until(upstream: Upstream, condition: Callable[[], bool], target: bytes = b"/") -> None:
    """Ask until the condition holds; TimeoutError if it never does."""
    async with asyncio.timeout(10):
        while not condition():
            await get(upstream, target)
            await asyncio.sleep(0.005)


async def read(answer) -> bytes:
    """An answer's body, streamed or not."""
    return b"".join([chunk async for chunk in answer.chunks()])


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until the condition holds; TimeoutError if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
