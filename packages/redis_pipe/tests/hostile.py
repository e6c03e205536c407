"""A Redis server that misbehaves on purpose, and records its input."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import hiredis

Words = list[bytes]
Answer = Callable[[Words, asyncio.StreamWriter], Awaitable[None]]


def always(reply: bytes) -> Answer:
    """Answers every command with these bytes."""

    async def answer(words: Words, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    return answer


class Hostile:
    """Answers each command of a connection's set-up with `setup_reply`, and leaves all others to `answer`."""

    def __init__(self, answer: Answer, *, setup_reply: bytes = b"+OK\r\n", port: int = 0) -> None:
        self._answer = answer
        self._setup_reply = setup_reply
        self.port = port
        self._handlers: set[asyncio.Task] = set()
        self.opened = 0  # connections so far
        self.commands: list[Words] = []  # without those of the set-up
        self.reads: list[int] = []  # how many commands each read from the socket held

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._handlers)

    async def stop(self) -> None:
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.opened += 1
        try:
            with contextlib.suppress(ConnectionError):
                await self._converse(reader, writer)
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = hiredis.Reader()
        while (data := await reader.read(65536)) and not writer.is_closing():
            parser.feed(data)
            held = 0
            while words := parser.gets():
                if words[0] == b"CLIENT":
                    writer.write(self._setup_reply)
                    continue
                held += 1
                self.commands.append(words)
                await self._answer(words, writer)
            if held:
                self.reads.append(held)
