"""A keep-alive HTTP/1.1 connection without retries: each failure raises."""

import asyncio
from typing import NamedTuple

SECONDS = 10.0
"""The gateway answers within 5 s."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Broken(Exception):
    """No complete answer."""


class Client:
    """Connects for the first request, and again after `Connection: close` or a failure."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Sends one request. Raises Broken."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._exchange(method, path, body, headers)
        except TimeoutError:
            self.close()
            raise Broken("no answer in time") from None
        except (OSError, EOFError, ValueError, IndexError) as error:
            self.close()
            raise Broken(type(error).__name__) from error

    async def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        fields = {"Host": "127.0.0.1"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if body or method in {"POST", "PUT", "PATCH"}:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        got = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        content = b"" if status in {204, 304} else await reader.readexactly(int(got["content-length"]))
        if got.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, got, content)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
