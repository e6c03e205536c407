"""One connection to one Redis server, shared by all callers of an event loop.

Commands issued in one tick of the loop leave in one write, and replies come back in order (5 µs of CPU for a command,
32 in flight; redis-py: 80). Nothing whose bytes were written is sent twice, except after the replies that say that the
command was not executed: NOSCRIPT (the script is sent whole), READONLY (the primary is looked up), and those with which a
cluster's node redirects (_cluster.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any

from ._address import Address
from ._command import Command, Observe, Script, Word, expire, pack
from ._link import Link
from ._opening import Opener
from ._stream import Stream
from ._sweeper import Sweeper
from .errors import Reason, Unavailable, error_from_reply

DEMOTED = "READONLY"
"""The reply of a server that is no longer the primary; the command was not executed."""

STABLE_AFTER = 1.0  # seconds; a loss before counts as a failed attempt, or a server that hangs up makes a storm

REDIRECTIONS = ("MOVED", "ASK", "TRYAGAIN")
"""Replies of a cluster's node that did not execute the command."""

Redirect = Callable[[Command, str], bool]
"""Called with the text of such a reply; returns whether the command will be sent elsewhere."""

OnState = Callable[[Reason | None], None]
"""Called when the connection is lost, with the reason, and when it is back, with None."""


class Pipe:
    """Commands to one Redis. Connects for the first command; while Redis is down, commands fail at once with the reason of
    the last attempt.

    `timeout` (seconds) is for a command from its issue to its reply, `connect_timeout` for finding, opening and
    authenticating; `time_left` shortens the former to the caller's remaining time. At most `max_waiting` commands may be
    without a reply. `redirect` handles redirections, where the server is a cluster's node. Belongs to one event loop until
    `close`.
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
        on_state: OnState | None = None,
        client_name: str = "redis-pipe",
        password: Callable[[], str | None] | None = None,
        redirect: Redirect | None = None,
    ) -> None:
        self.max_waiting = max_waiting
        self._redirect = redirect
        self._timeout = timeout
        self._time_left = time_left
        self._observe = observe
        self._on_state = on_state
        self._context = Context()  # a shared connection belongs to no request
        opener = Opener(address, connect_timeout, client_name=client_name, password=password)
        self._link = Link(opener, connect_timeout, self._opened, self._failed, self._context)
        self._sweeper = Sweeper(self._sweep, self._context)
        self._reset()

    def _reset(self) -> None:
        self._stream: Stream | None = None
        self._waiting: deque[Command] = deque()  # not written yet
        self._down: Reason | None = None  # why commands fail at once, until an attempt succeeds
        self._lost: Reason | None = None  # reported to on_state
        self._flushing = False
        self._sweeper.cancel()

    @property
    def connected(self) -> bool:
        """Whether commands can be written now."""
        return self._stream is not None and not self._stream.retiring

    def at(self, key: str) -> "Pipe":
        """The connection to the server that holds a key: this one holds all."""
        return self

    async def owner(self, key: str) -> "Pipe":
        """As `at`; in a cluster, one may have to wait for it."""
        return self

    def execute(self, operation: str, *words: Word, timeout: float | None = None) -> asyncio.Future[Any]:
        """Issue one command; the future holds the reply: bytes, int, None or a list of these.

        Raises (from the future): Unavailable, Refused.
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
        """Call a script: by its hash, and whole if the server does not have it. Raises as `execute` does."""
        words = (len(keys), *keys, *args)
        command = self._submit(operation, pack(script.by_hash(*words)), timeout)
        command.fallback = script.whole(*words)
        return command.future

    def batch(self, commands: Sequence[tuple[str, tuple[Word, ...], float]]) -> list[asyncio.Future[Any]]:
        """Issue commands that leave in one write over one connection, or not at all, and are never sent twice.

        Each is its operation, its words, and its time-out in seconds. For WAIT and WAITAOF, which refer to the earlier
        writes of their connection. They block all commands behind them: use a separate Pipe.
        """
        head = previous = self._submit("ping", pack((b"PING",)), None)
        futures: list[asyncio.Future[Any]] = []
        for operation, words, timeout in commands:
            future = head.future.get_loop().create_future()
            command = Command(operation, pack(words), future, head.started, head.started + timeout)
            command.moved = True
            previous.follower = previous = command
            futures.append(future)
        # The stream ends what was sent; without a head that was sent, everything ends here.
        head.future.add_done_callback(partial(_end_with, futures))
        return futures

    async def ping(self) -> None:
        """Return if Redis answers. Raises Unavailable."""
        await self.execute("ping", b"PING")

    async def close(self) -> None:
        """Fail what waits and close the socket. The next command would connect again."""
        if self._link.loop is not asyncio.get_running_loop():
            return
        stream, waiting = self._stream, self._waiting
        self._reset()
        self._fail(waiting, Reason.CLOSED)
        await self._link.close()
        if stream is not None:
            stream.drop(Reason.CLOSED)
            await asyncio.wait([stream.closed], timeout=1)

    def _submit(self, operation: str, payload: bytes, timeout: float | None) -> Command:
        loop, now = asyncio.get_running_loop(), monotonic()
        deadline = now + self._time_left(self._timeout if timeout is None else timeout)
        command = Command(operation, payload, loop.create_future(), now, deadline)
        self.take(command, loop, now)
        return command

    def take(self, command: Command, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Queue a command, or fail it at once."""
        if loop is not self._link.loop:
            if self._link.loop is not None:
                raise RuntimeError("a Pipe belongs to one event loop: close it there before using it in another")
            self._link.loop = loop
        stream = self._stream
        if self._down is not None:
            command.fail(Unavailable(self._down), now, self._observe)
        elif len(self._waiting) + (0 if stream is None else len(stream.sent)) >= self.max_waiting:
            command.fail(Unavailable(Reason.QUEUE_FULL), now, self._observe)
        else:
            self._waiting.append(command)
            if command.deadline < self._sweeper.at:
                self._sweeper.arm(loop, now, command.deadline)
            if stream is None:
                self._link.connect()
            elif not self._flushing:
                self._flushing = True
                loop.call_soon(self.flush, context=self._context)

    def take_asking(self, command: Command, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Queue a command for the node that is importing its slot."""
        head = Command("asking", pack((b"ASKING",)), loop.create_future(), now, command.deadline)
        head.follower = command
        head.future.add_done_callback(partial(_end_with, [command.future]))
        self.take(head, loop, now)

    def give_up(self) -> list[Command]:
        """The commands that were not sent; they will be sent over another pipe."""
        waiting, self._waiting = self._waiting, deque()
        return [*waiting]

    async def drain(self) -> None:
        """Close after the replies to what was sent."""
        if (stream := self._stream) is not None:
            stream.retire()
            await asyncio.wait([stream.closed], timeout=2 * self._timeout)
        await self.close()

    def flush(self) -> None:
        """Write the queue, if it can be written now."""
        self._flushing = False
        if self._stream is not None and not self._stream.retiring:
            self._stream.write(self._waiting)

    def error_received(self, stream: Stream, command: Command, text: str, now: float) -> None:
        """Repeat, once, a command that was certainly not executed; end any other with its error."""
        code = text.partition(" ")[0]
        if self._redirect is not None and code in REDIRECTIONS:
            if not self._redirect(command, text):
                command.fail(error_from_reply(command.operation, text), now, self._observe)
            return
        if code == "NOSCRIPT" and command.fallback is not None:
            command.payload, command.fallback = pack(command.fallback), None
        else:
            is_demoted = code == DEMOTED and (stream.retiring or stream.age(now) >= STABLE_AFTER)
            stream.retiring |= is_demoted
            if command.moved or not is_demoted:
                command.fail(error_from_reply(command.operation, text), now, self._observe)
                return
            command.moved = True
        self._waiting.append(command)
        self.flush()

    def stream_retired(self, stream: Stream) -> None:
        """A connection to a former primary has given its last reply."""
        self._stream = None
        self._link.unwatch()
        stream.drop(Reason.READONLY)
        self._link.connect()

    def stream_lost(self, stream: Stream, reason: Reason) -> None:
        """Fail the sent commands; the others go over the next connection."""
        self._fail(stream.sent, reason, uncertain=True)
        stream.sent.clear()
        if stream is not self._stream:
            return
        self._stream = None
        self._link.unwatch()
        if stream.age(monotonic()) < STABLE_AFTER:
            self._failed(reason)
        else:
            self._report(reason)
            self._link.failures = 0
            self._link.connect()

    def _opened(self, stream: Stream) -> None:
        if stream.is_lost:  # closed right behind the set-up
            self._failed(Reason.CLOSED)
            return
        self._down = None
        self._stream = stream
        stream.serve(self, self._observe)
        self._report(None)
        self.flush()

    def _failed(self, reason: Reason) -> None:
        self._down = reason
        self._report(reason)
        self._fail(self._waiting, reason)
        self._waiting.clear()
        self._link.retry()

    def _report(self, reason: Reason | None) -> None:
        if reason is not self._lost:
            self._lost = reason
            if self._on_state is not None:
                self._on_state(reason)

    def _fail(self, commands: Iterable[Command], reason: Reason, *, uncertain: bool = False) -> None:
        now = monotonic()
        for command in commands:
            command.fail(Unavailable(reason, uncertain=uncertain), now, self._observe)

    def _sweep(self, now: float) -> float:
        """End what is past its deadline, and the connection if the server is hung. Returns when to sweep again."""
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
