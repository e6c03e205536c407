"""A cluster: one pipe for each primary that holds a slot in use.

The map slot -> primary is looked up twice a second and after each redirection. A redirected command was not executed.
MOVED and ASK are followed immediately, if the map has the named node; after TRYAGAIN (a script in a slot that moves key by
key) the command is sent again every RETRY_SECONDS; all within the command's deadline.
"""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

from ._address import Address, Node
from ._command import Command, Script, Words
from ._connection import Connection, Options
from ._discovery import WATCH_SECONDS
from ._opening import Opener
from ._pipe import Pipe
from ._slots import redirected_to, slot_of
from .errors import Reason, Unavailable, reason_of

RETRY_SECONDS = 0.02
PAUSE_SECONDS = 0.05  # between two queries for the map, whatever happens
HOPS = 2  # redirections that are followed immediately, before a command waits


class Place(Connection):
    """One slot, whatever its owner; gives access to the other slots."""

    def __init__(self, cluster: "Cluster", slot: int) -> None:
        self.cluster, self.options, self.slot = cluster, cluster.options, slot
        self.pipe: Pipe | None = None
        self.down: Reason | None = None  # why there is no pipe

    def at(self, key: str) -> "Place":
        return self.cluster.at(key)

    async def owner(self, key: str) -> Pipe:
        """The pipe to the owner of a key's slot; waits until it is known. Raises Unavailable."""
        place = self.at(key)
        while place.pipe is None:
            if place.down is not None:
                raise Unavailable(place.down)
            await self.cluster.look()
        return place.pipe

    async def close(self) -> None:
        await self.cluster.close()

    def issue(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> asyncio.Future[Any]:
        command = self.options.command(operation, words, script, timeout)
        command.place = self
        (self.pipe or self.cluster).take(command)
        return command.future


class Cluster:
    """The arguments are those of Pipe; each bound applies to one primary."""

    def __init__(self, address: Address, options: Options) -> None:
        self.options, self._address = options, address
        self._opener = Opener(address, options)
        self._context = Context()
        self._places: dict[int, Place] = {}
        self._reset()

    def _reset(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pipes: dict[Node, Pipe] = {}
        self._known: set[Node] = set()
        self._asked: set[Pipe] = set()  # used for ASK since the last look at the map
        self._held: list[tuple[Command, Reason]] = []  # no pipe known, or to be sent again
        self._retry: asyncio.TimerHandle | None = None
        self._wake, self._looked = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost: dict[Node | None, Reason] = {}
        for place in self._places.values():
            place.pipe = place.down = None

    def at(self, key: str) -> Place:
        """The slot of a key; the same object each time."""
        slot = slot_of(key)
        if slot not in self._places:
            self._places[slot] = Place(self, slot)
            self._looked.clear()
            self._wake.set()
        return self._places[slot]

    def take(self, command: Command) -> None:
        """Queue a command for a slot without a pipe, until the map is known."""
        if command.place.down is not None:
            command.fail(Unavailable(command.place.down), self.options.observe)
        else:
            self._start()
            self._hold(command, Reason.TIMEOUT)

    async def look(self) -> None:
        self._start()
        await self._looked.wait()

    async def close(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            return
        held, pipes, tasks = self._held, [*self._pipes.values()], [*self._tasks]
        if self._retry is not None:
            self._retry.cancel()
        self._reset()
        for task in tasks:
            task.cancel()
        for command, _ in held:
            command.fail(Unavailable(Reason.CLOSED), self.options.observe)
        await asyncio.gather(*(pipe.close() for pipe in pipes), *tasks, return_exceptions=True)

    def _start(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._spawn(self._follow())
        elif self._loop is not asyncio.get_running_loop():
            raise RuntimeError("a Cluster belongs to one event loop: close it there before using it in another")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        async with self._opener.slots() as slots:
            while True:
                self._wake.clear()
                used = sorted(self._places)
                try:
                    owners = await slots.owners(used, self._pipes)
                except Exception as error:
                    self._unknown(reason_of(error, is_tls=self._address.is_tls))
                else:
                    self._known = slots.known
                    self._apply({slot: owners.get(slot) for slot in used})
                with suppress(TimeoutError):
                    async with asyncio.timeout(WATCH_SECONDS * random.uniform(0.5, 1)):  # noqa: S311 - jitter
                        await self._wake.wait()
                await asyncio.sleep(PAUSE_SECONDS)

    def _apply(self, owners: dict[int, Node | None]) -> None:
        """Point each of these slots at its owner's pipe, and close unused pipes."""
        for slot, node in owners.items():
            place = self._places[slot]
            place.pipe = self._pipe_to(node) if node is not None else None
            place.down = None if node is not None else Reason.CLUSTERDOWN
        if len(owners) == len(self._places):  # otherwise a slot was added meanwhile
            self._looked.set()
        self._report(None, None)
        used = {place.pipe for place in self._places.values()} | self._asked
        self._asked = set()
        for node, pipe in [*self._pipes.items()]:
            if pipe not in used:
                del self._pipes[node]
                self._report(node, None)
                for command in pipe.give_up():
                    self._hold(command, Reason.MOVED)
                self._spawn(pipe.drain())
        self._release()

    def _unknown(self, reason: Reason) -> None:
        """No node answers: keep the known slots, fail commands for the others."""
        for place in self._places.values():
            if place.pipe is None:
                place.down = reason
        self._looked.set()
        if not self._pipes:
            self._report(None, reason)
        self._release()

    def _pipe_to(self, node: Node) -> Pipe:
        if node not in self._pipes:
            address = replace(self._address, scheme="rediss" if self._address.is_tls else "redis", nodes=(node,))
            options = replace(self.options, on_state=partial(self._state, node))
            self._pipes[node] = Pipe(address, options, partial(self._redirected, node))
        return self._pipes[node]

    def _state(self, node: Node, reason: Reason | None) -> None:
        if node in self._pipes:
            self._report(node, reason)
            if reason is not None:
                self._wake.set()

    def _report(self, node: Node | None, reason: Reason | None) -> None:
        """Report to `on_state` when the first primary is lost, and when all are back."""
        were_lost = bool(self._lost)
        self._lost.pop(node, None)
        if reason is not None:
            self._lost[node] = reason
        if bool(self._lost) != were_lost and self.options.on_state is not None:
            self.options.on_state(reason)

    # Redirections

    def _redirected(self, node: Node, command: Command, text: str) -> bool:
        """Whether the command will be sent again. Commands of a batch, which belongs to one connection, are not."""
        code, *words = text.split(" ")
        place = command.place
        if code == "MOVED":
            self._wake.set()
        if place is None:
            return False
        named = redirected_to(words[1], node) if code != "TRYAGAIN" and len(words) == 2 else None
        target = self._pipe_to(named) if named is not None and named in self._known else None
        if code == "MOVED" and target is not None and words[0] == str(place.slot):
            place.pipe = target
        command.hops += 1
        if target is None or command.hops % (HOPS + 1) == 0:
            self._hold(command, Reason.MOVED if code == "MOVED" else Reason.TRYAGAIN)
        elif code == "ASK":
            self._asked.add(target)
            target.take_asking(command)
        else:
            target.take(command)
        return True

    def _hold(self, command: Command, reason: Reason) -> None:
        """Send it again a little later, unless it belongs to a batch, which stays on its connection."""
        if command.place is None:
            command.fail(Unavailable(reason), self.options.observe)
        elif len(self._held) >= self.options.max_waiting:
            command.fail(Unavailable(Reason.QUEUE_FULL), self.options.observe)
        else:
            self._held.append((command, reason))
            if self._retry is None and self._loop is not None:
                self._retry = self._loop.call_later(RETRY_SECONDS, self._release, context=self._context)

    def _release(self) -> None:
        """Send what is held, after a look at the map or RETRY_SECONDS."""
        if self._retry is not None:
            self._retry.cancel()
        held, self._held, self._retry = self._held, [], None
        now = monotonic()
        for command, reason in held:
            if command.deadline <= now + RETRY_SECONDS:  # if it were sent now, its outcome might remain unknown
                command.fail(Unavailable(reason), self.options.observe)
            elif not command.future.done():
                (command.place.pipe or self).take(command)


def connect(address: Address, slot_key: str, options: Options) -> Pipe | Place:
    """The connection to a server, to the primary behind Sentinel, or to a key's slot in a cluster."""
    return Cluster(address, options).at(slot_key) if address.is_cluster else Pipe(address, options)
