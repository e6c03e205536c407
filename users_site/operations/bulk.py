"""Many users at once, for management commands: blocking, in batches small enough that live traffic does not notice.

A batch is one script or one command of well under 2 ms; a few are on their way at any time, so that client and server
both work. Nothing is sent twice: a command that failed is run again by the operator, and every step may be repeated.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django_redis import get_redis_connection
from redis import Redis, RedisError

from packages.redis_pipe import Script, Word, pack
from users_site import identifiers
from users_site.operations.client import translated
from users_site.repository import address_of, keys, scripts

LOAD_BATCH = 100
"""Users in one script: 0.7 ms of the server's time."""

READ_BATCH = 200
"""Keys in one read: 0.1 ms for MGET and SCAN, 0.3 ms for ZSCAN."""

WINDOW = 4
"""Batches on their way."""

Tag = TypeVar("Tag")


class Entry(NamedTuple):
    """A user to be stored; `line` is where it stands in a file."""

    id: str
    email: str
    document: bytes
    line: int = 0


class Conflict(NamedTuple):
    """A user that is not stored; `holder`: the other id that holds the email, "" where another document has the id."""

    entry: Entry
    holder: str


class Loaded(NamedTuple):
    """What became of the users of a batch; `unchanged` were there already, byte for byte."""

    entries: list[Entry]
    created: int
    unchanged: int
    conflicts: list[Conflict]


class Bulk:
    """A blocking connection to the store of the settings. Every method may raise StoreUnavailable, StoreError."""

    def __init__(self) -> None:
        self.address = address_of(settings)
        self.client: Redis = get_redis_connection("default")

    @contextmanager
    def errors(self, operation: str) -> Iterator[None]:
        """redis-py's exceptions become ours."""
        try:
            yield
        except (RedisError, OSError) as error:
            raise translated(error, operation, self.address) from error

    def call(self, operation: str, *words: Word) -> Any:
        """One command's reply."""
        with self.errors(operation):
            return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def pipeline(self, operation: str, commands: Iterable[tuple[Word, ...]]) -> list[Any]:
        """The replies of many commands in one write."""
        with self.errors(operation):
            pipeline = self.client.pipeline(transaction=False)
            for words in commands:
                pipeline.execute_command(*words)  # type: ignore[no-untyped-call]
            replies = pipeline.execute(raise_on_error=False)  # which would put words of its own before the reply's
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            return replies

    def stream(
        self, operation: str, commands: Iterable[tuple[Tag, bytes]], window: int = WINDOW
    ) -> Iterator[tuple[Tag, Any]]:
        """Sends packed commands, up to `window` ahead of their replies; yields each reply with its tag, in order.

        An exception of `commands` is raised when all that was sent before has been answered.
        """
        waiting: deque[Tag] = deque()
        source, more, failure = iter(commands), True, None
        with self.errors(operation):
            connection = self.client.connection_pool.get_connection()
        try:
            while more or waiting:
                try:
                    tag, payload = next(source)
                except StopIteration:
                    more = False
                except Exception as error:
                    more, failure = False, error
                # The next command is made before a reply is waited for: even with a window of 1, both sides work.
                if waiting and (not more or len(waiting) >= window):
                    reply = self._reply(operation, connection)
                    yield waiting.popleft(), reply
                if more:
                    with self.errors(operation):
                        connection.send_packed_command([payload])  # type: ignore[no-untyped-call]
                    waiting.append(tag)
            if failure is not None:
                raise failure
        finally:
            if waiting:
                connection.disconnect()  # type: ignore[no-untyped-call]  # replies that nobody read would answer the next command
            self.client.connection_pool.release(connection)

    def _reply(self, operation: str, connection: Any) -> Any:
        with self.errors(operation):
            return connection.read_response()

    def count(self) -> int:
        """How many users there are."""
        return sum(self.call("count", "ZCARD", keys.index(p)) for p in range(identifiers.PARTITIONS))

    def load(self, entries: Iterable[Entry], *, stop_at_conflict: bool = False) -> Iterator[Loaded]:
        """Stores users through load.lua, a batch at a time.

        `stop_at_conflict`: a batch with a conflict stores nothing, and no batch is sent before its reply is there.
        """
        mode, window = ("all", 1) if stop_at_conflict else ("rest", WINDOW)
        commands = ((batch, _load_command(mode, batch)) for batch in batches(entries))
        for batch, (created, unchanged, flat) in self.stream("load", commands, window):
            conflicts = zip(flat[::2], flat[1::2], strict=True)
            found = [Conflict(batch[int(position) - 1], holder.decode()) for position, holder in conflicts]
            yield Loaded(batch, created, unchanged, found)

    def newest(self, limit: int) -> list[bytes]:
        """The documents of the newest users."""
        found = self.read([keys.record(p, user_id) for p, user_id in self._newest_ids(limit)])
        return [document for document in found if document]

    def newest_id(self) -> str:
        """The highest id, "" in an empty store."""
        return max((user_id for _, user_id in self._newest_ids(1)), default="")

    def _newest_ids(self, limit: int) -> list[tuple[int, str]]:
        words = ("+", "-", "BYLEX", "REV", "LIMIT", 0, limit)
        partitions = range(identifiers.PARTITIONS)
        return [(p, i.decode()) for p in partitions for i in self.call("newest", "ZRANGE", keys.index(p), *words)]

    def documents(self, after: str, until: str) -> Iterator[tuple[list[str], list[bytes | None]]]:
        """Ids above `after` ("": all) up to `until`, by partition and id, in batches with their documents."""
        first = identifiers.partition_of(after) if after else 0
        for partition in range(first, identifiers.PARTITIONS):
            start = f"({after}" if after and partition == first else "-"
            while True:
                bounds = (start, f"[{until}", "BYLEX", "LIMIT", 0, READ_BATCH)
                ids = [i.decode() for i in self.call("ids", "ZRANGE", keys.index(partition), *bounds)]
                if not ids:
                    break
                yield ids, self.read([keys.record(partition, user_id) for user_id in ids])
                start = f"({ids[-1]}"

    def read(self, key_list: Sequence[bytes | str]) -> list[bytes | None]:
        """The strings at these keys; None for what is absent or no string."""
        return self.call("read", "MGET", *key_list) if key_list else []

    def scores(self, members: Sequence[tuple[int, str]]) -> list[float | None]:
        """The scores in the index of ids with their partition."""
        ids: dict[int, list[str]] = {}
        for partition, user_id in members:
            ids.setdefault(partition, []).append(user_id)
        found = {p: iter(self.call("scores", "ZMSCORE", keys.index(p), *part)) for p, part in ids.items()}
        return [next(found[partition]) for partition, _ in members]

    def exist(self, key_list: Sequence[bytes]) -> list[bool]:
        """Whether there is something at each of these keys: one command if there is at all of them."""
        if self.call("exists", "EXISTS", *key_list) == len(key_list):
            return [True] * len(key_list)
        return [bool(there) for there in self.pipeline("exists", [("EXISTS", key) for key in key_list])]

    def types(self, key_list: Sequence[bytes]) -> list[bytes]:
        """What kind of value is at each key; b"none" where there is nothing."""
        return self.pipeline("type", [("TYPE", key) for key in key_list])

    def seconds_left(self, key_list: Sequence[bytes]) -> list[int]:
        """How long each key will live; -1 for ever, -2 where there is nothing."""
        return self.pipeline("ttl", [("TTL", key) for key in key_list])

    def scan(self, command: str = "SCAN", *key: str, pattern: str = keys.EVERY) -> Iterator[list[Any]]:
        """What SCAN or ZSCAN finds, in batches: what is there all the time comes at least once."""
        cursor = 0
        while True:
            cursor, found = self.call("scan", command, *key, cursor, "MATCH", pattern, "COUNT", READ_BATCH)
            if found:
                yield found
            if cursor == 0:
                return

    def clear(self) -> None:
        """Deletes every key of the data layout."""
        for batch in self.scan():
            self.call("clear", "UNLINK", *batch)

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()


def batches(entries: Iterable[Entry], size: int = LOAD_BATCH) -> Iterator[list[Entry]]:
    """Lists of up to `size` users, each of one partition: its keys are in one slot."""
    waiting: list[list[Entry]] = [[] for _ in range(identifiers.PARTITIONS)]
    for entry in entries:
        partition = identifiers.partition_of(entry.id)
        waiting[partition].append(entry)
        if len(waiting[partition]) == size:
            yield waiting[partition]
            waiting[partition] = []
    yield from filter(None, waiting)


def _load_command(mode: str, batch: list[Entry]) -> bytes:
    partition = identifiers.partition_of(batch[0].id)
    key_list: list[str] = [keys.index(partition)]
    args: list[Word] = [mode]
    for entry in batch:
        key_list += keys.record(partition, entry.id), keys.claim(partition, entry.email)
        args += entry.id, entry.document
    return script(scripts.LOAD, key_list, args)


def script(source: Script, key_list: list[str], args: list[Word]) -> bytes:
    """A script's call, whole: its source is small beside a batch, and no reply can say that it is not known."""
    return pack(source.whole(len(key_list), *key_list, *args))
