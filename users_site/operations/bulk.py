"""Bulk operations on users, for management commands: blocking, in batches that take the server well under 2 ms.

Nothing is retried: the operator repeats a failed command, and every step may be repeated.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

from django.conf import settings
from redis import Redis, RedisError

from packages.redis_pipe import Address, PipeError, Script, Word, pack
from packages.redis_pipe.errors import ErrorReply
from users_site.operations.client import Clients, translated
from users_site.repository import address_of
from users_site.repository.errors import WrongLayout
from users_site.repository.keys import EPOCH, Layout, Partition

READ_BATCH = 200
"""Keys in one read: 0.1 ms for MGET and SCAN, 0.3 ms for ZSCAN."""

WINDOW = 4
"""Batches on their way."""

Tag = TypeVar("Tag")
Item = TypeVar("Item")
Key = bytes | str


class Bulk:
    """Blocking connections to a store, by default that of the settings. Every method may raise StoreUnavailable,
    StoreError."""

    def __init__(
        self, address: Address | None = None, layout: Layout | None = None, *, is_checked: bool = True
    ) -> None:
        self.address = address or address_of(settings)
        self.layout = layout or Layout(settings.PARTITIONS)
        with self.errors("connect"):
            self._clients = Clients(self.address, self.layout, is_default=address is None)
        try:
            if is_checked:
                self._require_layout()
        except Exception:
            self.close()
            raise

    @contextmanager
    def errors(self, operation: str) -> Iterator[None]:
        """redis-py's exceptions become ours."""
        try:
            yield
        except (RedisError, ErrorReply, PipeError, OSError) as error:
            raise translated(error, operation, self.address) from error

    def call(self, operation: str, name: str, key: Key, *words: Word) -> Any:
        with self.errors(operation):
            return self._clients.of(key).execute_command(name, key, *words)  # type: ignore[no-untyped-call]

    def script(self, operation: str, source: Script, partition: Partition, keys: Sequence[Key], *args: Word) -> Any:
        words = source.whole((partition.epoch, *keys), (self.layout.epoch, *args))
        with self.errors(operation):
            return self._clients.of(partition.epoch).execute_command(*words)  # type: ignore[no-untyped-call]

    def packed(self, source: Script, partition: Partition, keys: Sequence[Key], *args: Word) -> tuple[str, bytes]:
        """A script's call for `stream`, with its source, so that no reply is NOSCRIPT; the source is small compared
        with a batch."""
        return partition.epoch, pack(source.whole((partition.epoch, *keys), (self.layout.epoch, *args)))

    def pipeline(self, operation: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The replies of commands for one key each, in the order of arrival: it writes to every server before it
        reads."""
        replies: list[Any] = [None] * len(commands)
        asked: list[tuple[Redis, Any, list[int]]] = []
        try:
            with self.errors(operation):
                for client, places in _grouped(commands, lambda command: self._clients.of(command[1])):
                    asked.append((client, client.connection_pool.get_connection(), places))
                    asked[-1][1].send_packed_command([pack(commands[i]) for i in places])
                for _, connection, places in asked:
                    for i in places:
                        replies[i] = connection.read_response()
        except BaseException:
            for _, connection, _ in asked:
                connection.disconnect()  # replies that nobody read would answer the next command
            raise
        finally:
            for client, connection, _ in asked:
                client.connection_pool.release(connection)
        return replies

    def stream(
        self, operation: str, commands: Iterable[tuple[Tag, tuple[Key, bytes]]], window: int = WINDOW
    ) -> Iterator[tuple[Tag, Any]]:
        """Sends packed commands, each to the server of its key, up to `window` ahead of their replies; yields each reply with
        its tag, in order.

        It raises an exception of `commands` after the replies to everything sent before.
        """
        waiting: deque[tuple[Tag, Any]] = deque()
        connections: dict[Redis, Any] = {}
        failures: list[Exception] = []

        def send(key: Key, payload: bytes) -> Any:
            with self.errors(operation):
                client = self._clients.of(key)
                if client not in connections:
                    connections[client] = client.connection_pool.get_connection()
                connections[client].send_packed_command([payload])
            return connections[client]

        def receive() -> tuple[Tag, Any]:
            with self.errors(operation):
                reply = waiting[0][1].read_response()
            return waiting.popleft()[0], reply

        try:
            # Make the next command before waiting for a reply: even with a window of 1, client and server work in parallel.
            for tag, (key, payload) in _until_failure(commands, failures):
                if len(waiting) >= window:
                    yield receive()
                waiting.append((tag, send(key, payload)))
            while waiting:
                yield receive()
            for failure in failures:
                raise failure
        finally:
            for connection in {connection for _, connection in waiting}:
                connection.disconnect()  # replies that nobody read would answer the next command
            for client, connection in connections.items():
                client.connection_pool.release(connection)

    def each(self, command: str, keys: Sequence[Key]) -> list[Any]:
        """The reply to this command for each key."""
        return self.pipeline(command.lower(), [(command, key) for key in keys])

    def read(self, keys: Sequence[Key]) -> list[bytes | None]:
        """The strings at these keys; None for a missing key or another type."""
        return self._together("read", [(self._clients.slot(key), key) for key in keys], lambda slot: ("MGET",))

    def scores(self, members: Sequence[tuple[Partition, Key]]) -> list[float | None]:
        found = self._together("scores", members, lambda partition: ("ZMSCORE", partition.index))
        return [None if score is None else float(score) for score in found]

    def _together(
        self, operation: str, members: Sequence[tuple[Tag, Key]], head: Callable[[Tag], tuple[str, ...]]
    ) -> list[Any]:
        """A reply for each key, from one command for each group of keys."""
        found: list[Any] = [None] * len(members)
        groups = _grouped(members, itemgetter(0))
        commands = [(*head(group), *(members[i][1] for i in places)) for group, places in groups]
        for (_, places), replies in zip(groups, self.pipeline(operation, commands), strict=True):
            for i, reply in zip(places, replies, strict=True):
                found[i] = reply
        return found

    def clients(self) -> list[Redis]:
        return self._clients.every()

    def infos(self) -> list[dict[str, Any]]:
        """Each server's INFO; most users and providers forbid CONFIG."""
        with self.errors("info"):
            return [client.info() for client in self.clients()]

    def scan(self, kind: str = "") -> Iterator[list[bytes]]:
        """The keys of the layout, of one kind if given, in batches, of which some are empty. A key that exists all the
        time appears at least once."""
        pattern = f"{self.layout.pattern}:{kind}:*" if kind else f"{self.layout.pattern}*"
        for client in self.clients():
            cursor = 0
            while True:
                with self.errors("scan"):
                    words = ("SCAN", cursor, "MATCH", pattern, "COUNT", READ_BATCH)
                    cursor, found = client.execute_command(*words)  # type: ignore[no-untyped-call]
                yield found
                if int(cursor) == 0:
                    break

    def entries(self, partition: Partition) -> Iterator[list[bytes]]:
        """The ids in a partition's index, in batches, as `scan` does."""
        cursor = 0
        while True:
            cursor, found = self.call("scan", "ZSCAN", partition.index, cursor, "COUNT", READ_BATCH)
            if found:
                yield [member for member, _ in found]
            if int(cursor) == 0:
                return

    def clear(self) -> None:
        """Deletes every key of the data layout except its epochs."""
        for batch in self.scan():
            self.each("UNLINK", [key for key in batch if not key.endswith(f"}}:{EPOCH}".encode())])

    def close(self) -> None:
        """Closes the connections. The next Bulk looks up the primaries again."""
        self._clients.close()

    def _require_layout(self) -> None:
        """As Store.open: a new store gets our number of partitions."""
        epochs = [partition.epoch for partition in self.layout.with_epoch]
        found = self.each("GET", epochs)
        self.layout.require(found)
        if self.layout.count > 1 and None in found:
            if self.call("epoch", "EXISTS", self.layout.with_epoch[0].index):
                raise WrongLayout(self.layout.epoch, "1")
            for epoch in epochs:
                self.call("epoch", "SET", epoch, self.layout.epoch, "NX")
            self.layout.require(self.each("GET", epochs))


def _grouped(items: Iterable[Item], by: Callable[[Item], Tag]) -> list[tuple[Tag, list[int]]]:
    """The places of the items of each group."""
    groups: dict[Tag, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(by(item), []).append(place)
    return list(groups.items())


def _until_failure(items: Iterable[Item], failures: list[Exception]) -> Iterator[Item]:
    """The items up to an exception, which it appends to `failures`."""
    try:
        yield from items
    except Exception as error:
        failures.append(error)
