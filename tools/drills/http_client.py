"""A keep-alive HTTP/1.1 connection to a service or gateway: each failure raises."""

import asyncio
from typing import Any, NamedTuple

import orjson

SECONDS = 10.0
"""The gateway answers within 5 s."""

AT_STAKE = ("may have been made", "was made")
"""The detail of a 503 if the change is, or may be, in the store."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        try:
            return str(self.json()["code"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return "no problem document"

    @property
    def is_uncertain(self) -> bool:
        """Whether a write may have been made."""
        if self.status in {500, 502, 504}:
            return True
        return self.status == 503 and any(text in self.body.decode() for text in AT_STAKE)


class Broken(Exception):
    """No complete answer."""


class Client:
    """Connects for the first request, and again after `Connection: close` or a failure.

    `retries_reads`: retries a GET on a new connection, as browsers do.
    """

    def __init__(self, port: int, *, retries_reads: bool = False) -> None:
        self._port, self._retries_reads = port, retries_reads
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def create(self, name: str) -> Answer:
        return await self.ask("POST", "/api/users", orjson.dumps({"name": name, "email": f"{name}@example.com"}))

    async def users(self) -> list[dict[str, Any]]:
        """Every user, as listed. Raises Broken, and RuntimeError if they cannot be read."""
        found, path = list[dict[str, Any]](), "/api/users?limit=100"
        while path:
            answer = await self.ask("GET", path)
            if answer.status != 200:
                raise RuntimeError(f"the users cannot be read: {answer.status} {answer.code}")
            page = answer.json()
            found += page["results"]
            path = page["next"] and "/api/users" + page["next"].partition("/api/users")[2]
        return found

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Sends one request. Raises Broken."""
        try:
            return await self._ask(method, path, body, headers)
        except Broken:
            if not (self._retries_reads and method == "GET"):
                raise
            return await self._ask(method, path, body, headers)

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
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
