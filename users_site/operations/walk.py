"""Users of all partitions, in the order of their ids."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import itemgetter

from packages.redis_pipe import pack
from users_site.operations.bulk import READ_BATCH, Bulk
from users_site.operations.findings import known_keys
from users_site.repository.keys import RECORD, Partition
from users_site.repository.pages import Place


def count(bulk: Bulk) -> int:
    return sum(bulk.each("ZCARD", [partition.index for partition in bulk.layout.partitions]))


def newest(bulk: Bulk, limit: int) -> list[bytes]:
    """The documents of the newest users."""
    places = sorted(_newest(bulk, limit), key=lambda place: place[0])[-limit:]
    found = bulk.read([record(partition, user_id) for user_id, partition in places])
    return [document for document in found if document]


def newest_id(bulk: Bulk) -> str:
    """The highest id, "" in an empty index."""
    return max((user_id.decode(errors="replace") for user_id, _ in _newest(bulk, 1)), default="")


def _newest(bulk: Bulk, limit: int) -> list[Place]:
    words = ("(g", "-", "BYLEX", "REV", "LIMIT", 0, limit)  # ids are hexadecimal: higher members are damage
    return [
        (user_id, partition)
        for partition in bulk.layout.partitions
        for user_id in bulk.call("newest", "ZRANGE", partition.index, *words)
    ]


def walk(bulk: Bulk, after: str, until: str) -> Iterator[tuple[list[Place], list[bytes | None]]]:
    """Ids above `after` ("": all) up to `until`, ascending, in batches with their documents. While the caller works, it
    reads the next ones, from several partitions at a time."""
    found: list[tuple[bytes, Partition, bytes | None]] = []
    for (partition, ids, is_last), documents in bulk.stream("read", _reads(bulk, after, until)):
        found += zip(ids, repeat(partition), documents, strict=False)
        if is_last:
            found.sort(key=itemgetter(0))
            yield [row[:2] for row in found], [row[2] for row in found]
            found = []


def _reads(
    bulk: Bulk, after: str, until: str
) -> Iterator[tuple[tuple[Partition, list[bytes], bool], tuple[str, bytes]]]:
    """The commands that read documents, one for each batch and partition, each with its ids and whether it is the last
    of the batch."""
    for batch in _batches(bulk, after, until):
        parts = [
            (partition, ids[i : i + READ_BATCH]) for partition, ids in batch for i in range(0, len(ids), READ_BATCH)
        ]
        for number, (partition, ids) in enumerate(parts, 1):
            command = pack(("MGET", *(record(partition, user_id) for user_id in ids)))
            yield (partition, ids, number == len(parts)), (partition.index, command)


def _batches(bulk: Bulk, after: str, until: str) -> Iterator[list[tuple[Partition, list[bytes]]]]:
    """The ids of all partitions, ascending from batch to batch; some READ_BATCH of each partition at a time."""
    waiting: dict[Partition, list[bytes]] = {partition: [] for partition in bulk.layout.partitions}
    starts = dict.fromkeys(waiting, f"({after}".encode() if after else b"-")
    while True:
        short = [partition for partition in starts if len(waiting[partition]) < READ_BATCH]
        bounds = ("BYLEX", "LIMIT", 0, READ_BATCH)
        commands = [("ZRANGE", partition.index, starts[partition], f"[{until}", *bounds) for partition in short]
        for partition, ids in zip(short, bulk.pipeline("ids", commands), strict=True):
            if ids:
                waiting[partition] += ids
                starts[partition] = b"(" + ids[-1]
            else:
                del starts[partition]
        # Ids above the last one read from a partition must wait: its next ids may be below them.
        end = min((waiting[partition][-1] for partition in starts), default=None)
        batch = []
        for partition, ids in waiting.items():
            size = len(ids) if end is None else bisect_right(ids, end)
            batch.append((partition, ids[:size]))
            waiting[partition] = ids[size:]
        if not any(ids for _, ids in batch):
            return
        yield batch


def record(partition: Partition, user_id: bytes) -> bytes:
    """The key of a record whose id may be any bytes."""
    return partition.records.encode() + user_id


def without_record(bulk: Bulk, places: Sequence[Place]) -> list[bytes]:
    """The ids that are in the index but have no record."""
    scores = bulk.scores([(partition, user_id) for user_id, partition in places])
    indexed = [place for place, score in zip(places, scores, strict=True) if score is not None]
    there = bulk.each("EXISTS", [record(partition, user_id) for user_id, partition in indexed])
    return [user_id for (user_id, _), exists in zip(indexed, there, strict=True) if not exists]


def without_index(bulk: Bulk) -> Iterator[bytes]:
    """The keys of records that pages and exports skip: they have no index entry, or one in the wrong order."""
    for batch in bulk.scan(RECORD):
        known = known_keys(bulk.layout, batch)
        scores = bulk.scores([(key.partition, key.rest) for key in known])
        # Twice: one may have been deleted between the reads.
        for key, score in zip(known, scores, strict=True):
            if score != 0 and bulk.each("EXISTS", [key.raw])[0] and bulk.scores([(key.partition, key.rest)])[0] != 0:
                yield key.raw
