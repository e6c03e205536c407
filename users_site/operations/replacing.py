"""Stores users and deletes those in conflict (put.lua): a restore over a store that is in use."""

from packages.redis_pipe import Reason
from users_site import identifiers
from users_site.operations.bulk import Bulk
from users_site.operations.documents import email_of
from users_site.operations.loading import Entry, script
from users_site.repository import keys, scripts
from users_site.repository.errors import StoreUnavailable
from users_site.repository.users import ATTEMPTS, version


def replace(bulk: Bulk, entries: list[Entry]) -> None:
    """Stores the users, and deletes those that hold their id or email now. Raises StoreUnavailable, StoreError.

    A user that is written to meanwhile is retried: each time, another client succeeded.
    """
    for _ in range(ATTEMPTS):
        outcomes = list(bulk.stream("put", zip(entries, _commands(bulk, entries), strict=True)))
        entries = [entry for entry, outcome in outcomes if outcome == b"changed"]
        if not entries:
            return
    raise StoreUnavailable(Reason.BUSY)


def _commands(bulk: Bulk, entries: list[Entry]) -> list[bytes]:
    partitions = [identifiers.partition_of(entry.id) for entry in entries]
    records = [keys.record(p, entry.id) for p, entry in zip(partitions, entries, strict=True)]
    claims = [keys.claim(p, entry.email) for p, entry in zip(partitions, entries, strict=True)]
    documents, found = bulk.read(records), bulk.read(claims)
    holders = [holder.decode() if holder else "" for holder in found]
    theirs = [keys.record(p, holder) for p, holder in zip(partitions, holders, strict=True)]
    commands = []
    for i, other in enumerate(bulk.read(theirs)):
        index, current, entry = keys.index(partitions[i]), documents[i], entries[i]
        old_claim = keys.claim(partitions[i], email_of(current)) if current else claims[i]
        # A stale claim names a user that is not in conflict.
        is_in_the_way = other is not None and keys.claim(partitions[i], email_of(other)) == claims[i]
        in_the_way, sha1 = (theirs[i], _sha1(other)) if is_in_the_way else (records[i], _sha1(current))
        key_list = [index, records[i], claims[i], old_claim, in_the_way, keys.epoch(partitions[i])]
        commands.append(script(scripts.PUT, key_list, [entry.id, entry.document, _sha1(current), holders[i], sha1]))
    return commands


def _sha1(document: bytes | None) -> str:
    return version(document) if document is not None else ""
