"""Stores many users in batches, each with one script, by the rules of the API."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from packages.redis_pipe import Word
from users_site.operations.bulk import WINDOW, Bulk
from users_site.repository import scripts
from users_site.repository.claims import FAR, holder_of
from users_site.repository.keys import Layout

LOAD_BATCH = 100
"""Users per script, which takes the server 0.7 ms."""


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

    `stop_at_conflict`: a batch with a conflict stores nothing, and each batch waits for the reply to the one before.
    """
    mode, window = ("all", 1) if stop_at_conflict else ("rest", WINDOW)
    others: deque[Loaded] = deque()

    def commands() -> Iterator[tuple[list[Entry], tuple[str, bytes]]]:
        for batch, is_cross_partition in batches(bulk.layout, entries):
            if is_cross_partition:
                others.append(_load_cross_partition(bulk, mode, batch))
            else:
                yield batch, _load_command(bulk, mode, batch)

    for batch, (created, unchanged, flat) in bulk.stream("load", commands(), window):
        conflicts = zip(flat[::2], flat[1::2], strict=True)
        found = [Conflict(batch[int(position) - 1], holder_of(holder)) for position, holder in conflicts]
        yield Loaded(batch, created, unchanged, found)
        while others:
            yield others.popleft()
    yield from others


def batches(layout: Layout, entries: Iterable[Entry]) -> Iterator[tuple[list[Entry], bool]]:
    """Lists of up to LOAD_BATCH users of one partition, whose keys are in one slot. Users whose email belongs to
    another partition are in their own lists, with True."""
    waiting: dict[tuple[int, bool], list[Entry]] = {}
    for entry in entries:
        partition = layout.of(entry.id)
        is_cross_partition = layout.count > 1 and layout.of_email(entry.email) is not partition
        batch = waiting.setdefault((partition.number, is_cross_partition), [])
        batch.append(entry)
        if len(batch) == LOAD_BATCH:
            yield waiting.pop((partition.number, is_cross_partition)), is_cross_partition
    yield from ((batch, is_cross_partition) for (_, is_cross_partition), batch in waiting.items())


def _load_command(bulk: Bulk, mode: str, batch: list[Entry]) -> tuple[str, bytes]:
    partition = bulk.layout.of(batch[0].id)
    key_list: list[str] = [partition.index]
    args: list[Word] = [mode]
    for entry in batch:
        key_list += partition.record(entry.id), partition.claim(entry.email)
        args += entry.id, entry.document
    return bulk.packed(scripts.LOAD, partition, key_list, *args)


def _load_cross_partition(bulk: Bulk, mode: str, batch: list[Entry]) -> Loaded:
    """Stores the claims first: a crash leaves stale claims, which do no harm."""
    claims = [bulk.layout.claim(entry.email) for entry in batch]
    firm = [f"{entry.id} {FAR}" for entry in batch]
    bulk.pipeline("claim", [("SET", claim, text, "NX") for claim, text in zip(claims, firm, strict=True)])
    holders = [holder_of(holder or b"") for holder in bulk.read(claims)]
    rows = list(zip(batch, holders, strict=True))
    conflicts = [Conflict(entry, holder) for entry, holder in rows if holder != entry.id]
    ours = [entry for entry, holder in rows if holder == entry.id]
    if not ours or (mode == "all" and conflicts):
        return Loaded(batch, 0, 0, conflicts)
    partition = bulk.layout.of(batch[0].id)
    # The record's key instead of the claim's: the script makes no claim.
    key_list = [partition.index, *(key for entry in ours for key in 2 * [partition.record(entry.id)])]
    args = [word for entry in ours for word in (entry.id, entry.document)]
    created, unchanged, flat = bulk.script("load", scripts.LOAD, partition, key_list, mode, *args)
    conflicts += [Conflict(ours[int(position) - 1], "") for position in flat[::2]]
    return Loaded(batch, created, unchanged, conflicts)
