"""A Redis server that misbehaves on purpose, and records its input."""

import asyncio
from collections.abc import Awaitable, Callable

import hiredis

from tests.scripted import Scripted

Words = list[bytes]
Answer = Callable[[Words, asyncio.StreamWriter], Awaitable[None]]


def always(reply: bytes) -> Answer:
    """Answers every command with these bytes."""

    async def answer(words: Words, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    return answer


class Hostile(Scripted):
    """Answers each command of a connection's set-up with `setup_reply`, and leaves all others to `answer`."""

    def __init__(self, answer: Answer, *, setup_reply: bytes = b"+OK\r\n") -> None:
        super().__init__(self._follow)
        self._answer = answer
        self._setup_reply = setup_reply
        self.commands: list[Words] = []  # without those of the set-up
        self.reads: list[int] = []  # how many commands each read from the socket held

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
