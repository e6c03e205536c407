"""Sends commands to the partitions of the store, and translates the pipe's errors to the repository's."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from common.observability.notices import Notices
from packages.redis_pipe import Connection, DurableWrites, PipeError, Reason, Script, Unavailable, Word
from users_site.repository.errors import RepositoryError, StoreUnavailable, WrongLayout, from_pipe
from users_site.repository.keys import Layout, Partition
from users_site.repository.shared import SharedReads

logger = logging.getLogger(__name__)

WRITTEN = frozenset(
    (b"created", b"replayed", b"replaced", b"deleted", b"claimed", b"committed", b"settled", b"reserved", b"finished")
)
"""The scripts' answers after a write that must not be lost."""


def has_written(outcome: Any) -> bool:
    """Whether a script's answer follows a write that must not be lost."""
    return (outcome[0] if isinstance(outcome, list) else outcome) in WRITTEN


async def all_of(questions: Sequence[Awaitable[Any]]) -> list[Any]:
    """The replies to commands issued together, at a third of the cost of asyncio.gather()."""
    if len(questions) == 1:  # no task
        return [await questions[0]]
    futures = [asked if isinstance(asked, asyncio.Future) else asyncio.ensure_future(asked) for asked in questions]
    try:
        return [await future for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()  # asyncio does not log the exception of one that is done either
        raise


class Store:
    """One pipe for all commands, and another one for durable writes. Every method may raise StoreUnavailable and StoreError,
    `write` NotDurable too."""

    def __init__(self, pipe: Connection, durable: DurableWrites | None = None, layout: Layout | None = None) -> None:
        self.pipe, self.durable = pipe, durable
        self.layout = layout or Layout()
        self._at = {partition.tag: pipe.at(partition.index) for partition in self.layout.with_epoch}
        self._totals = SharedReads(self.count)
        self._is_open = False
        self._notices = Notices(logger)

    async def execute(self, partition: Partition, operation: str, *words: Word) -> Any:
        if not self._is_open:
            await self.open()
        try:
            return await self._at[partition.tag].execute(operation, *words)
        except PipeError as error:
            raise self._translated(error) from error

    async def run(self, partition: Partition, script: Script, keys: Sequence[bytes | str], *args: Word) -> Any:
        """The answer of a script that only reads."""
        if not self._is_open:
            await self.open()
        words = (partition.epoch, *keys), (self.layout.epoch, *args)
        return await self.reply(self._at[partition.tag].run(script, *words))

    async def write(self, partition: Partition, script: Script, keys: Sequence[bytes | str], *args: Word) -> Any:
        """The answer of a script that writes, once the write is as durable as required."""
        if not self._is_open:
            await self.open()
        connection = self.durable or self._at[partition.tag]
        words = (partition.epoch, *keys), (self.layout.epoch, *args)
        try:
            return await connection.run(script, *words)
        except PipeError as error:
            failure = self._translated(error)
            if getattr(failure, "reason", None) is not Reason.EPOCH:
                raise failure from error
        # The epoch refused it, so it did nothing: the store was emptied, or an interrupted move_users left it without epochs.
        await self.ensure_open()
        return await self.reply(connection.run(script, *words))

    def at(self, partition: Partition) -> Connection:
        """The connection to the server that holds a partition."""
        return self._at[partition.tag]

    async def ensure_open(self) -> None:
        """`open`, once."""
        if not self._is_open:
            await self.open()

    async def open(self, timeout: float | None = None) -> None:
        """Returns if the store has our number of partitions; gives it to a new store. Raises WrongLayout.

        One partition that answers is enough: all have the same number.
        """
        layout = self.layout
        try:
            found = await self._epochs(timeout)
            layout.require(found)
            if layout.count > 1 and None in found:
                layout.require([await self._make()])
                layout.require(await self._epochs(timeout))
        except WrongLayout as error:
            self._is_open = False  # plain reads have no script that would refuse
            self._notices.warn(str(error))
            raise
        self._is_open = True

    async def _epochs(self, timeout: float | None) -> list[bytes | None]:
        keys = {partition: partition.epoch for partition in self.layout.with_epoch}
        replies = await self._each("epoch", b"GET", keys, timeout)
        epochs = [reply for reply in replies if not isinstance(reply, StoreUnavailable)]
        if self.layout.epoch.encode() not in epochs:
            for reply in replies:
                if isinstance(reply, StoreUnavailable):
                    raise reply
        return epochs

    async def _each(
        self, operation: str, command: bytes, keys: dict[Partition, str], timeout: float | None
    ) -> list[Any]:
        """The replies for these keys; StoreUnavailable instead of the reply of a partition that does not answer."""
        pending = [self.at(each).execute(operation, command, key, timeout=timeout) for each, key in keys.items()]
        replies = await asyncio.gather(*map(self.reply, pending), return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException) and not isinstance(reply, StoreUnavailable):
                raise reply
        return replies

    async def _make(self) -> bytes | None:
        """Gives a new store our epoch, first under `ONE`, which decides between two processes. A store with users but
        without an epoch has 1."""
        one = self.layout.with_epoch[0]
        if await self.reply(self.at(one).execute("epoch", b"EXISTS", one.index)):
            return b"1"
        for partition in self.layout.with_epoch:
            words = (partition.epoch, self.layout.epoch, b"NX", b"GET")
            other: bytes | None = await self.reply(self.at(partition).execute("epoch", b"SET", *words))
            if other is not None and other != self.layout.epoch.encode():
                return other
        return None

    def total(self) -> Awaitable[int]:
        """As `count`; over several partitions, concurrent requests share the commands."""
        if len(self.layout.partitions) > 1:
            return self._totals.get()
        only = self.layout.partitions[0]
        return self.at(only).execute("count", b"ZCARD", only.index)

    async def count(self) -> int:
        await self.ensure_open()
        counts = [
            self.at(partition).execute("count", b"ZCARD", partition.index) for partition in self.layout.partitions
        ]
        return sum(await self.reply(all_of(counts)))

    async def counts(self, timeout: float) -> dict[Partition, int | StoreUnavailable]:
        """The number of users of each partition, or why it does not answer."""
        indexes = {partition: partition.index for partition in self.layout.partitions}
        return dict(zip(indexes, await self._each("count", b"ZCARD", indexes, timeout), strict=True))

    async def reply(self, pending: Awaitable[Any]) -> Any:
        try:
            return await pending
        except PipeError as error:
            raise self._translated(error) from error

    def _translated(self, error: PipeError) -> RepositoryError:
        if isinstance(error, Unavailable) and error.reason is Reason.EPOCH:
            self._is_open = False  # the next command checks again
        elif isinstance(error, Unavailable) and error.reason is Reason.MOVED:
            self._notices.warn("Redis is a node of a cluster and has other users: use redis+cluster:// in REDIS_URL")
        return from_pipe(error)

    async def close(self) -> None:
        self._is_open = False
        await self.pipe.close()
        if self.durable is not None:
            await self.durable.close()
