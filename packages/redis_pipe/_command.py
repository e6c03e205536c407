"""One command: its bytes, the future of its reply, its deadline."""

import hashlib
import math
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

import hiredis

from .errors import PipeError, Reason, Unavailable

Word = bytes | str | int
Words = tuple[Word, ...]

# observe((operation, status), seconds), once for each command when it ends; status: "ok", "error", "timeout".
Observe = Callable[[tuple[str, str], float], None]


# A command as RESP; the stub of hiredis says: a tuple of exactly one.
pack: Callable[[Words], bytes] = cast(Any, hiredis.pack_command)


@dataclass(frozen=True)
class Script:
    """A Lua script, called by its SHA-1; `name` is its operation. A `read_only` one may not write, and runs while
    writes are paused."""

    name: str
    source: str
    read_only: bool = False
    sha1: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha1", digest)

    def by_hash(self, keys: Sequence[bytes | str], args: Sequence[Word]) -> Words:
        """A call by the SHA-1; the server answers NOSCRIPT until it has the source."""
        return "EVALSHA_RO" if self.read_only else "EVALSHA", self.sha1, len(keys), *keys, *args

    def whole(self, keys: Sequence[bytes | str], args: Sequence[Word]) -> Words:
        """A call with the source."""
        return self.with_source(self.by_hash(keys, args))

    def with_source(self, by_hash: Words) -> Words:
        """The same call, with the source."""
        return "EVAL_RO" if self.read_only else "EVAL", self.source, *by_hash[2:]


class Command:
    """It is in the queue, then among the sent ones until its reply comes.

    If its caller gives up, it keeps its place, so that replies stay in order.
    """

    __slots__ = (
        "deadline", "follower", "future", "hops", "moved", "operation", "payload", "place", "script", "started", "words"
    )  # fmt: skip

    def __init__(
        self, operation: str, words: Words, script: Script | None, future: Future[Any], started: float, deadline: float
    ) -> None:
        self.operation = operation
        self.words = words
        self.payload = pack(words)
        self.script = script  # sent whole, once, after NOSCRIPT
        self.future = future
        self.started = started
        self.deadline = deadline
        self.follower: Command | None = None  # sent right behind, in the same write; then its own follower
        self.moved = False  # no further retry over another connection
        self.place: Any = None  # the slot of a cluster that it is for
        self.hops = 0  # redirections so far, in a cluster

    def fail(self, error: PipeError, observe: Observe | None) -> None:
        """End the command with an error, unless it has ended; if its caller gave up, only count it."""
        status = "error"
        if not self.future.done():
            if isinstance(error, Unavailable) and error.reason is Reason.TIMEOUT:
                status = "timeout"
            self.future.set_exception(error)
        elif not self.future.cancelled():
            return
        if observe is not None:
            observe((self.operation, status), monotonic() - self.started)


def expire(commands: Iterable[Command], now: float, observe: Observe | None, *, uncertain: bool) -> float:
    """End the commands past their deadline. Returns the next deadline of the others, or infinity."""
    nearest = math.inf
    for command in commands:
        if command.future.done():
            continue
        if command.deadline <= now:
            command.fail(Unavailable(Reason.TIMEOUT, uncertain=uncertain), observe)
        elif command.deadline < nearest:
            nearest = command.deadline
    return nearest
