"""The one connection to Redis of a process. It pipelines by itself: what is issued in one tick of the event
loop leaves in one write, and replies come back in order (5 µs of CPU for a command, 32 in flight; redis-py: 80).

- Where Redis is: `address.py`. Finding the primary, TLS, AUTH, SELECT: `opening.py`, by redis-py. When: `link.py`.
- How long a command may take: `sweeper.py`, from its issue to its reply.
- What may be sent twice: nothing whose bytes were written, but for the replies that say that the command was not
  executed: NOSCRIPT (the script is sent whole), READONLY and a cluster's MOVED (the primary is looked up anew).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from packages.redis_pipe.address import Address
from packages.redis_pipe.command import Command, Observe, Script, Word, expire, pack
from packages.redis_pipe.link import STABLE_AFTER, Link
from packages.redis_pipe.stream import Stream
from packages.redis_pipe.sweeper import Sweeper
from users_site.repository.errors import Reason, StoreUnavailable, error_from_reply

DEMOTED = ("READONLY", "MOVED")
"""What a server answers that is the primary no more; the command was not executed."""


class Connection(Link):
    """Commands to one Redis. Belongs to one running event loop at a time; raises only `errors`.

    `timeout` (seconds) is for a command from its issue to its reply, `connect_timeout` for finding, opening
    and authenticating; `time_left` shortens the former to what the caller has left. At
    most `max_waiting` commands may be without a reply.
    """

    def __init__(
        self,
        address: Address,
        *,
        timeout: float,
        connect_timeout: float,
        time_left: Callable[[float], float] = float,
        max_waiting: int = 8192,
        observe: Observe | None = None,
    ) -> None:
        super().__init__(address, connect_timeout, observe)
        self._timeout = timeout
        self._time_left = time_left
        self._max_waiting = max_waiting
        self._flushing = False
        self._sweeper = Sweeper(self._look, self._context)

    def _reset(self) -> None:
        super()._reset()
        self._flushing = False
        self._sweeper.cancel()

    @property
    def max_waiting(self) -> int:
        """How many commands may be without a reply."""
        return self._max_waiting

    def execute(self, operation: str, *words: Word, timeout: float | None = None) -> asyncio.Future[Any]:
        """Issue one command; the future holds the reply: bytes, int, None or a list of these.

        Raises (from the future): StoreUnavailable, StoreError.
        """
        return self._submit(operation, pack(words), timeout).future

    def run(
        self,
        operation: str,
        script: Script,
        keys: Sequence[bytes | str],
        args: Sequence[Word],
        timeout: float | None = None,
    ) -> asyncio.Future[Any]:
        """Call a script: by its hash, and whole if the server does not know it. Raises as `execute` does."""
        return self._submit_script(operation, script, keys, args, timeout).future

    def batch(self, commands: Sequence[tuple[str, tuple[Word, ...], float]]) -> list[asyncio.Future[Any]]:
        """Issue commands that leave in one write over one connection, or not at all, and are never sent twice.

        Each is its operation, its words, and how long it may take in seconds. For WAIT and WAITAOF, which speak of what
        their connection has written. They hold up all that come behind them: give them a Connection of their own.
        """
        head = previous = self._submit("ping", pack((b"PING",)), None)
        futures: list[asyncio.Future[Any]] = []
        for operation, words, timeout in commands:
            future = head.future.get_loop().create_future()
            command = Command(operation, pack(words), future, head.started, head.started + timeout)
            command.moved = True
            previous.follower = previous = command
            futures.append(future)
        # What was sent is ended by the stream; only where nothing was sent is there anything left to end here.
        head.future.add_done_callback(partial(_end_with, futures))
        return futures

    async def ping(self) -> None:
        """Return if Redis answers. Raises StoreUnavailable."""
        await self.execute("ping", b"PING")

    def _submit_script(
        self,
        operation: str,
        script: Script,
        keys: Sequence[bytes | str],
        args: Sequence[Word],
        timeout: float | None,
    ) -> Command:
        words = (len(keys), *keys, *args)
        command = self._submit(operation, pack((b"EVALSHA", script.sha1, *words)), timeout)
        command.fallback = (b"EVAL", script.source, *words)
        return command

    def _submit(self, operation: str, payload: bytes, timeout: float | None) -> Command:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._adopt(loop)
        now = monotonic()
        deadline = now + self._time_left(self._timeout if timeout is None else timeout)
        command = Command(operation, payload, loop.create_future(), now, deadline)
        stream = self._stream
        if self._down is not None:
            command.fail(StoreUnavailable(self._down), now, self._observe)
        elif len(self._waiting) + (0 if stream is None else len(stream.sent)) >= self._max_waiting:
            command.fail(StoreUnavailable(Reason.QUEUE_FULL), now, self._observe)
        else:
            self._waiting.append(command)
            if deadline < self._sweeper.at:
                self._sweeper.arm(loop, now, deadline)
            if stream is None:
                self._connect()
            elif not self._flushing:
                self._flushing = True
                loop.call_soon(self.flush, context=self._context)
        return command

    def flush(self) -> None:
        """Write what waits, if it can be written now."""
        self._flushing = False
        if self._stream is not None and not self._stream.retiring:
            self._stream.write(self._waiting)

    def error_received(self, stream: Stream, command: Command, text: str, now: float) -> None:
        """Repeat, once, a command that was certainly not executed; end any other with its error."""
        code = text.partition(" ")[0]
        if code == "NOSCRIPT" and command.fallback is not None:
            command.payload, command.fallback = pack(command.fallback), None
        else:
            is_demoted = code in DEMOTED and (stream.retiring or stream.age(now) >= STABLE_AFTER)
            stream.retiring |= is_demoted
            if command.moved or not is_demoted:
                command.fail(error_from_reply(command.operation, text), now, self._observe)
                return
            command.moved = True
        self._waiting.append(command)
        self.flush()

    def _look(self, now: float) -> float:
        """End what is out of time, and the connection if the server is hung; answers when to look again."""
        if self._stream is not None and self._stream.hung_at(self._timeout) <= now:
            self._stream.drop(Reason.TIMEOUT)
        nearest = expire(self._waiting, now, self._observe, uncertain=False)
        self._waiting = deque(command for command in self._waiting if not command.future.done())
        if self._stream is None:
            return nearest
        sent = expire(self._stream.sent, now, self._observe, uncertain=True)
        return min(nearest, sent, self._stream.hung_at(self._timeout))


def _end_with(futures: list[asyncio.Future[Any]], head: asyncio.Future[Any]) -> None:
    error = head.exception()
    if error is None:
        return
    for future in futures:
        if not future.done():
            future.set_exception(error)
