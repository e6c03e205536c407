"""One connection to one Redis server, shared by all callers of an event loop.

Commands issued in one tick of the loop leave in one write, and replies come back in order (5 µs of CPU for a command,
32 in flight; redis-py: 80). A command whose bytes were written is never sent again, except after replies that mean "not
executed": NOSCRIPT (the script is sent with its source), READONLY (the primary is looked up), and redirections of a
cluster's node (_cluster.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any

from ._address import Address
from ._command import Command, Script, Words, expire, pack
from ._connection import Connection, Options
from ._link import Link
from ._opening import Opener
from ._stream import Stream
from ._sweeper import Sweeper
from .errors import PipeError, Reason, Unavailable, error_from_reply

STABLE_AFTER = 1.0  # seconds; an earlier loss counts as a failed attempt: a server that hangs up must not cause a storm

REDIRECTIONS = ("MOVED", "ASK", "TRYAGAIN")
"""Replies of a cluster's node that did not execute the command."""

Redirect = Callable[[Command, str], bool]
"""Called with the text of such a reply; returns whether the command will be sent elsewhere."""


class Pipe(Connection):
    """Commands to one Redis. Connects for the first command; while Redis is down, commands fail immediately with the reason
    of the last attempt. `redirect` handles redirections of a cluster's node. It belongs to one event loop until
    `close`."""

    def __init__(self, address: Address, options: Options, redirect: Redirect | None = None) -> None:
        self.options, self._observe, self._redirect = options, options.observe, redirect
        self._context = Context()  # a shared connection belongs to no request
        self._link = Link(Opener(address, options), self._opened, self._failed, self._context)
        self._sweeper = Sweeper(self._sweep, self._context)
        self._left: Reason | None = None  # why commands fail for good
        self._reset()

    def _reset(self) -> None:
        self._stream: Stream | None = None
        self._waiting: deque[Command] = deque()  # not written yet
        self._down = self._left  # why commands fail immediately, until an attempt succeeds
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

    def issue(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> asyncio.Future[Any]:
        command = self.options.command(operation, words, script, timeout)
        self.take(command)
        return command.future

    def batch(self, commands: Sequence[tuple[str, Words, float]]) -> list[asyncio.Future[Any]]:
        """Issue commands that leave in one write over one connection, or not at all, and are never sent twice.

        Each is its operation, its words, and its time-out in seconds. For WAIT and WAITAOF, which refer to the earlier
        writes of their connection. They block all later commands: use a separate Pipe.
        """
        head = previous = self.options.command("ping", (b"PING",), None, None)
        head.future.add_done_callback(partial(self._end_unsent, head))
        self.take(head)
        futures: list[asyncio.Future[Any]] = []
        for operation, words, timeout in commands:
            future = head.future.get_loop().create_future()
            command = Command(operation, words, None, future, head.started, head.started + timeout)
            command.moved = True
            previous.follower = previous = command
            futures.append(future)
        return futures

    async def close(self) -> None:
        if self._link.loop is not asyncio.get_running_loop():
            return
        stream, waiting = self._stream, self._waiting
        self._reset()
        self._fail(waiting, Reason.CLOSED)
        await self._link.close()
        if stream is not None:
            stream.drop(Reason.CLOSED)
            await asyncio.wait([stream.closed], timeout=1)

    def take(self, command: Command) -> None:
        """Queue a command, or fail it immediately."""
        loop = command.future.get_loop()
        if loop is not self._link.loop:
            if self._link.loop is not None:
                raise RuntimeError("a Pipe belongs to one event loop: close it there before using it in another")
            self._link.loop = loop
        stream = self._stream
        if self._down is not None:
            command.fail(Unavailable(self._down), self._observe)
        elif len(self._waiting) + (0 if stream is None else len(stream.sent)) >= self.options.max_waiting:
            command.fail(Unavailable(Reason.QUEUE_FULL), self._observe)
        else:
            self._waiting.append(command)
            if command.deadline < self._sweeper.at:
                self._sweeper.arm(loop, command.deadline)
            if stream is None:
                self._link.connect()
            elif not self._flushing:
                self._flushing = True
                loop.call_soon(self.flush, context=self._context)

    def take_asking(self, command: Command) -> None:
        """Queue a command for the node that is importing its slot."""
        loop = command.future.get_loop()
        head = Command("asking", (b"ASKING",), None, loop.create_future(), monotonic(), command.deadline)
        head.follower = command
        head.future.add_done_callback(partial(self._end_unsent, head))
        self.take(head)

    def give_up(self) -> list[Command]:
        """Return the commands that were not sent; these and all later ones belong to another pipe."""
        self._down = self._left = Reason.MOVED
        waiting, self._waiting = self._waiting, deque()
        return [*waiting]

    async def drain(self) -> None:
        """Close after the replies to what was sent."""
        try:
            if (stream := self._stream) is not None:
                stream.retire()
                await asyncio.wait([stream.closed], timeout=2 * self.options.timeout)
        finally:  # the cluster is closed meanwhile
            await self.close()

    def flush(self) -> None:
        """Write the queue, if that is possible now."""
        self._flushing = False
        if self._stream is not None and not self._stream.retiring:
            self._stream.write(self._waiting)

    def error_received(self, stream: Stream, command: Command, text: str) -> None:
        """Repeat, once, a command that was certainly not executed; end any other with its error."""
        code = text.partition(" ")[0]
        if self._redirect is not None and code in REDIRECTIONS:
            if not self._redirect(command, text):
                command.fail(error_from_reply(command.operation, text), self._observe)
            return
        if code == "NOSCRIPT" and command.script is not None:
            command.payload, command.script = pack(command.script.with_source(command.words)), None
        else:
            # From a server that is no longer the primary.
            is_demoted = code == "READONLY" and (stream.retiring or stream.age >= STABLE_AFTER)
            stream.retiring |= is_demoted
            if command.moved or not is_demoted:
                command.fail(error_from_reply(command.operation, text), self._observe)
                return
            command.moved = True
        self._waiting.append(command)
        self.flush()

    def stream_retired(self, stream: Stream) -> None:
        """Called after the last reply of a connection to a former primary."""
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
        if stream.age < STABLE_AFTER:
            self._failed(reason)
        else:
            self._report(reason)
            self._link.failures = 0
            self._link.connect()

    def _opened(self, stream: Stream) -> None:
        if stream.is_lost:  # closed right after the set-up
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
            if self.options.on_state is not None:
                self.options.on_state(reason)

    def _fail(self, commands: Iterable[Command], reason: Reason, *, uncertain: bool = False) -> None:
        for command in commands:
            command.fail(Unavailable(reason, uncertain=uncertain), self._observe)

    def _sweep(self, now: float) -> float:
        """End commands past their deadline, and the connection if the server hangs. Returns the time of the next
        sweep."""
        if self._stream is not None and self._stream.hung_at(self.options.timeout) <= now:
            self._stream.drop(Reason.TIMEOUT)
        nearest = expire(self._waiting, now, self._observe, uncertain=False)
        self._waiting = deque(command for command in self._waiting if not command.future.done())
        if self._stream is None:
            return nearest
        sent = expire(self._stream.sent, now, self._observe, uncertain=True)
        return min(nearest, sent, self._stream.hung_at(self.options.timeout))

    def _end_unsent(self, head: Command, future: asyncio.Future[Any]) -> None:
        """End the followers of a command that was not sent; after sending, each has its own reply."""
        error, command = future.exception(), head.follower
        while isinstance(error, PipeError) and command is not None:
            command.fail(error, self._observe)
            command = command.follower
