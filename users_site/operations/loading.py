"""Stores many users, in batches: one script each, by the rules of the API."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from packages.redis_pipe import Script, Word, pack
from users_site import identifiers
from users_site.operations.bulk import WINDOW, Bulk
from users_site.repository import keys, scripts

LOAD_BATCH = 100
"""Users in one script: 0.7 ms of the server's time."""


class Entry(NamedTuple):
    """A user to store; `line` is its line in a file."""

    id: str
    email: str
    document: bytes
    line: int = 0


class Conflict(NamedTuple):
    """A user that is not stored; `holder`: the id that holds its email, "" if another document has the id."""

    entry: Entry
    holder: str


class Loaded(NamedTuple):
    """The result of a batch; `unchanged` users were stored already, byte for byte."""

    entries: list[Entry]
    created: int
    unchanged: int
    conflicts: list[Conflict]


def load(bulk: Bulk, entries: Iterable[Entry], *, stop_at_conflict: bool = False) -> Iterator[Loaded]:
    """Stores users through load.lua, a batch at a time. Raises StoreUnavailable, StoreError.

    `stop_at_conflict`: a batch with a conflict stores nothing, and no batch is sent before its reply is there.
    """
    mode, window = ("all", 1) if stop_at_conflict else ("rest", WINDOW)
    commands = ((batch, _load_command(mode, batch)) for batch in batches(entries))
    for batch, (created, unchanged, flat) in bulk.stream("load", commands, window):
        conflicts = zip(flat[::2], flat[1::2], strict=True)
        found = [Conflict(batch[int(position) - 1], holder.decode()) for position, holder in conflicts]
        yield Loaded(batch, created, unchanged, found)


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
    key_list: list[str] = [keys.index(partition), keys.epoch(partition)]
    args: list[Word] = [mode]
    for entry in batch:
        key_list += keys.record(partition, entry.id), keys.claim(partition, entry.email)
        args += entry.id, entry.document
    return script(scripts.LOAD, key_list, args)


def script(source: Script, key_list: list[str], args: list[Word]) -> bytes:
    """A script's call with its source, which is small compared with a batch, so no reply can be NOSCRIPT."""
    return pack(source.whole(len(key_list), *key_list, *args))
