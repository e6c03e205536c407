"""Pages of users, newest first: ids from the indexes, then their documents. All ids have score 0, so an index is in the
order of ids, that is, of creation."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

from users_site.identifiers import canonical
from users_site.repository.broken import are_whole, id_in, is_whole, report_broken, report_missing
from users_site.repository.keys import Partition
from users_site.repository.store import Store, all_of

Place = tuple[bytes, Partition]
"""An id, and the partition whose index it is in."""

REFILLS = 4
"""How often a page reads further users to replace those without a valid record; then it stays short."""


class Side(StrEnum):
    OLDER = "older"
    NEWER = "newer"

    @property
    def opposite(self) -> "Side":
        return Side.NEWER if self is Side.OLDER else Side.OLDER


@dataclass(frozen=True, slots=True)
class Position:
    """The start of a page: after an id, or at it (`inclusive`)."""

    side: Side
    user_id: str
    inclusive: bool = False

    @property
    def bound(self) -> str:
        return ("[" if self.inclusive else "(") + self.user_id

    @property
    def opposite_bound(self) -> str:
        return ("(" if self.inclusive else "[") + self.user_id


@dataclass(frozen=True, slots=True)
class Page:
    """Documents joined by commas, newest first; `count` of all users, None if not requested; the starts of the neighbouring
    pages, if they exist."""

    count: int | None
    documents: bytes
    older: Position | None = None
    newer: Position | None = None


async def read(store: Store, limit: int, start: Position | None, count: bool) -> Page:
    """At most `limit` users from `start` on. Raises StoreUnavailable."""
    partitions = store.layout.partitions
    side, bound = (start.side, start.bound) if start else (Side.OLDER, "+")
    # One id more than the page: it shows whether another page follows.
    share = _share(partitions, limit + 1)
    steps: list[Awaitable[Any]] = [_range(store, partition, bound, side, share) for partition in partitions]
    if start is not None:
        # Usually the user with the cursor's id.
        steps.append(_range(store, store.layout.of(start.user_id), start.opposite_bound, side.opposite, 1))
    if count:
        steps.append(store.total())
    replies = await store.reply(all_of(steps))
    total = replies[-1] if count else None
    places = await _merged(store, replies[: len(partitions)], side, limit + 1, share)
    has_behind = start is not None and (bool(replies[len(partitions)]) or await _is_anyone_behind(store, start))
    documents, last = await _documents(store, places, limit, side) if places else ([], None)
    ahead = Position(side, last) if last is not None else None
    back = None
    if start is not None and has_behind:
        # After the last user: the previous page includes the user with the cursor's id.
        back = Position(side.opposite, start.user_id, inclusive=True)
        if documents:
            back = Position(side.opposite, id_in(documents[0]))
    if side is Side.OLDER:
        return Page(total, b",".join(documents), ahead, back)
    return Page(total, b",".join(reversed(documents)), back, ahead)


def _share(partitions: Sequence[Partition], limit: int) -> int:
    """How many ids to read from each partition first: a few more than its part, because they are not spread evenly."""
    return min(limit, -(-limit // len(partitions)) + 2)


async def _merged(store: Store, found: list[list[bytes]], side: Side, limit: int, share: int) -> list[Place]:
    """The first `limit` of all partitions' ids, of which `share` from each have been read."""
    partitions = store.layout.partitions
    if len(partitions) == 1:
        return [(user_id, partitions[0]) for user_id in found[0]]
    places = _first(partitions, found, side, limit)
    shown = {user_id for user_id, _ in places}
    # Partitions that may have more ids before the last one shown.
    ran_out = [i for i, ids in enumerate(found) if share <= len(ids) < limit and ids[-1] in shown]
    if not ran_out:
        return places
    more = [_range(store, partitions[i], b"(" + found[i][-1], side, limit - share) for i in ran_out]
    rest: list[list[bytes]] = await store.reply(all_of(more))
    for i, ids in zip(ran_out, rest, strict=True):
        found[i] = found[i] + ids
    return _first(partitions, found, side, limit)


def _first(partitions: Sequence[Partition], found: list[list[bytes]], side: Side, limit: int) -> list[Place]:
    places = [(user_id, partition) for partition, ids in zip(partitions, found, strict=True) for user_id in ids]
    return sorted(places, key=itemgetter(0), reverse=side is Side.OLDER)[:limit]


async def _next(store: Store, after: bytes, side: Side, limit: int) -> list[Place]:
    """The next ids of all partitions after one."""
    partitions = store.layout.partitions
    share = _share(partitions, limit)
    found = await store.reply(all_of([_range(store, partition, b"(" + after, side, share) for partition in partitions]))
    return await _merged(store, found, side, limit, share)


async def _is_anyone_behind(store: Store, start: Position) -> bool:
    """Whether a partition other than the cursor's has users on the other side of the cursor."""
    others = [partition for partition in store.layout.partitions if partition is not store.layout.of(start.user_id)]
    behind = [_range(store, partition, start.opposite_bound, start.side.opposite, 1) for partition in others]
    return any(await store.reply(all_of(behind)))


def _range(store: Store, partition: Partition, bound: str | bytes, side: Side, limit: int) -> Awaitable[list[bytes]]:
    execute, index = store.at(partition).execute, partition.index
    if side is Side.OLDER:
        return execute("ids", b"ZRANGE", index, bound, b"-", b"BYLEX", b"REV", b"LIMIT", b"0", limit)
    return execute("ids", b"ZRANGE", index, bound, b"+", b"BYLEX", b"LIMIT", b"0", limit)


async def _documents(store: Store, places: list[Place], limit: int, side: Side) -> tuple[list[bytes], str | None]:
    """Up to `limit` documents, and the last id that was read, if more follow."""
    documents: list[Any] = []
    missing: list[Place] = []
    last: str | None = None
    for _ in range(REFILLS + 1):
        batch = places[: limit - len(documents)]
        ids = [user_id for user_id, _ in batch]
        found = await _read(store, batch, ids)
        if are_whole(found, ids):
            documents += found
        else:
            documents += _whole(found, batch, missing)
        last = next((text for text in map(_text, reversed(ids)) if canonical(text) == text), last)
        has_ahead = len(places) > len(batch)
        if len(documents) < limit and has_ahead:
            places = await _next(store, ids[-1], side, limit - len(documents) + 1)
            has_ahead = bool(places)
        if len(documents) == limit or not has_ahead:
            break
    await _report_stale(store, missing)
    return documents, last if has_ahead else None


def _text(user_id: bytes) -> str:
    return user_id.decode(errors="replace")


async def _read(store: Store, places: list[Place], ids: list[bytes]) -> list[bytes | None]:
    """The documents at these places: one MGET for each partition."""
    if store.layout.count == 1:
        only: list[bytes | None] = await store.reply(_records(store, places[0][1], ids))
        return only
    by_partition: dict[str, list[bytes]] = {}
    for user_id, partition in places:
        by_partition.setdefault(partition.tag, []).append(user_id)
    partitions = {partition.tag: partition for _, partition in places}
    reads = [_records(store, partitions[tag], ids) for tag, ids in by_partition.items()]
    found = await store.reply(all_of(reads))
    documents = {tag: iter(part) for tag, part in zip(by_partition, found, strict=True)}
    return [next(documents[partition.tag]) for _, partition in places]


def _records(store: Store, partition: Partition, ids: list[bytes]) -> Awaitable[list[bytes | None]]:
    prefix = partition.records.encode()
    return store.at(partition).execute("documents", b"MGET", *[prefix + user_id for user_id in ids])


def _whole(found: list[bytes | None], places: list[Place], missing: list[Place]) -> list[bytes]:
    """The whole documents; reports damaged ones and index entries without a record."""
    documents = []
    for (user_id, partition), document in zip(places, found, strict=True):
        if document is None:
            missing.append((user_id, partition))
        elif is_whole(document, user_id):
            documents.append(document)
        else:
            report_broken(_text(user_id))
    return documents


async def _report_stale(store: Store, missing: list[Place]) -> None:
    """Reports ids that are still in the index: a user deleted between the two reads has left it."""
    for user_id, partition in missing:
        if await store.execute(partition, "scores", b"ZSCORE", partition.index, user_id) is not None:
            report_missing(_text(user_id))
