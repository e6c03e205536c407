"""Users of all partitions, in the order of their ids."""

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice

from users_site.operations.bulk import READ_BATCH, Bulk
from users_site.operations.findings import known_keys
from users_site.repository.keys import RECORD, Partition

Place = tuple[bytes, Partition]
"""An id, and the partition whose index it is in."""


def count(bulk: Bulk) -> int:
    """How many users there are."""
    return sum(bulk.pipeline("count", [("ZCARD", home.index) for home in bulk.layout.partitions]))


def newest(bulk: Bulk, limit: int) -> list[bytes]:
    """The documents of the newest users."""
    places = sorted(_newest(bulk, limit), key=lambda place: place[0])[-limit:]
    return [document for document in documents(bulk, places) if document]


def newest_id(bulk: Bulk) -> str:
    """The highest id, "" in an empty index."""
    return max((user_id.decode(errors="replace") for user_id, _ in _newest(bulk, 1)), default="")


def _newest(bulk: Bulk, limit: int) -> list[Place]:
    words = ("(g", "-", "BYLEX", "REV", "LIMIT", 0, limit)  # ids are hexadecimal: what is above is damage
    homes = bulk.layout.partitions
    return [(user_id, home) for home in homes for user_id in bulk.call("newest", "ZRANGE", home.index, *words)]


def walk(bulk: Bulk, after: str, until: str) -> Iterator[tuple[list[Place], list[bytes | None]]]:
    """Ids above `after` ("": all) up to `until`, ascending, in batches with their documents."""
    streams = [_ids(bulk, home, after, until) for home in bulk.layout.partitions]
    merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda place: place[0])
    while places := list(islice(merged, READ_BATCH)):
        yield places, documents(bulk, places)


def documents(bulk: Bulk, places: Sequence[Place]) -> list[bytes | None]:
    """The documents at these places."""
    return bulk.read([record(home, user_id) for user_id, home in places])


def record(home: Partition, user_id: bytes) -> bytes:
    """The key of a record whose id may be any bytes."""
    return home.records.encode() + user_id


def without_record(bulk: Bulk, places: Sequence[Place]) -> list[bytes]:
    """The ids that are in the index but have no record."""
    scores = bulk.scores([(home, user_id) for user_id, home in places])
    indexed = [place for place, score in zip(places, scores, strict=True) if score is not None]
    there = bulk.exist([record(home, user_id) for user_id, home in indexed])
    return [user_id for (user_id, _), exists in zip(indexed, there, strict=True) if not exists]


def without_index(bulk: Bulk) -> Iterator[bytes]:
    """The keys of records that pages and exports skip: they are not in the index, or not in its order."""
    for batch in bulk.scan(RECORD):
        known = known_keys(bulk.layout, batch)
        scores = bulk.scores([(key.home, key.rest) for key in known])
        # Twice: one may have been deleted between the reads.
        for key, score in zip(known, scores, strict=True):
            if score != 0 and bulk.exist([key.raw])[0] and bulk.scores([(key.home, key.rest)])[0] != 0:
                yield key.raw


def _ids(bulk: Bulk, home: Partition, after: str, until: str) -> Iterator[Place]:
    start = f"({after}".encode() if after else b"-"
    while True:
        bounds = (start, f"[{until}", "BYLEX", "LIMIT", 0, READ_BATCH)
        ids: list[bytes] = bulk.call("ids", "ZRANGE", home.index, *bounds)
        if not ids:
            return
        yield from ((user_id, home) for user_id in ids)
        start = b"(" + ids[-1]
