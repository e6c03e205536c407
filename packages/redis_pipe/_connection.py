"""What a connection to one server and one to a cluster have in common."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from ._command import Command, Observe, Script, Word, Words
from .errors import Reason

OnState = Callable[[Reason | None], None]
"""Called when the connection is lost, with the reason, and when it is back, with None."""


@dataclass(frozen=True)
class Options:
    """`timeout` (seconds) is for a command from its issue to its reply, `connect_timeout` for look-up, opening and
    authentication; `time_left` shortens the former to the caller's remaining time. At most `max_waiting` commands may
    be without a reply of one server. `password` is called for each connection if the address has none, so that a
    rotated one is used."""

    timeout: float
    connect_timeout: float
    time_left: Callable[[float], float] = float
    max_waiting: int = 8192
    observe: Observe | None = None
    on_state: OnState | None = None
    client_name: str = "redis-pipe"
    password: Callable[[], str | None] | None = None

    def command(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> Command:
        """A command issued now."""
        now = monotonic()
        deadline = now + self.time_left(self.timeout if timeout is None else timeout)
        return Command(operation, words, script, asyncio.get_running_loop().create_future(), now, deadline)


class Connection(ABC):
    """Commands to the server that holds a key."""

    @abstractmethod
    def at(self, key: str) -> "Connection":
        """The connection to the server that holds another key; the same object each time."""

    def execute(self, operation: str, *words: Word, timeout: float | None = None) -> Awaitable[Any]:
        """One command's reply: bytes, int, None or a list of these. Raises Unavailable, Refused."""
        return self.issue(operation, words, None, timeout)

    def run(
        self, script: Script, keys: Sequence[bytes | str], args: Sequence[Word], timeout: float | None = None
    ) -> Awaitable[Any]:
        """A script's answer: called by its hash, and whole if the server does not have it. Raises as `execute` does."""
        return self.issue(script.name, script.by_hash(keys, args), script, timeout)

    @abstractmethod
    def issue(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> Awaitable[Any]:
        """The reply to a command; a script that the server does not have is sent whole."""

    @abstractmethod
    async def close(self) -> None:
        """Fail waiting commands and close the sockets. The next command would connect again."""
