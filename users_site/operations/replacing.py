"""Stores users and deletes those in conflict (put.lua): a restore over a store that is in use."""

from collections.abc import Sequence

from users_site.identifiers import canonical
from users_site.operations.bulk import Bulk
from users_site.operations.documents import email_of
from users_site.operations.loading import Entry, load
from users_site.operations.walk import record
from users_site.repository import scripts
from users_site.repository.change import ATTEMPTS, version
from users_site.repository.claims import FAR, holder_of
from users_site.repository.errors import Busy


def replace(bulk: Bulk, entries: list[Entry]) -> None:
    """Stores the users, and deletes others with their id or email. Raises StoreUnavailable, StoreError.

    It retries a user that another client changes meanwhile.
    """
    if bulk.layout.count > 1:
        for entry in entries:
            _replace_in_steps(bulk, entry)
        return
    for _ in range(ATTEMPTS):
        outcomes = list(bulk.stream("put", zip(entries, _commands(bulk, entries), strict=True)))
        entries = [entry for entry, outcome in outcomes if outcome == b"changed"]
        if not entries:
            return
    raise Busy


def _commands(bulk: Bulk, entries: list[Entry]) -> list[tuple[str, bytes]]:
    [partition] = bulk.layout.partitions
    records = [partition.record(entry.id) for entry in entries]
    claims = [partition.claim(entry.email) for entry in entries]
    documents, found = bulk.read(records), bulk.read(claims)
    holders = [holder or b"" for holder in found]
    theirs = [record(partition, holder) for holder in holders]
    commands = []
    for i, other in enumerate(bulk.read(theirs)):
        current, entry = documents[i], entries[i]
        old_claim = partition.claim(email_of(current)) if current else claims[i]
        # A stale claim names a user that is not in conflict.
        is_in_the_way = other is not None and partition.claim(email_of(other)) == claims[i]
        in_the_way, sha1 = (theirs[i], _sha1(other)) if is_in_the_way else (records[i], _sha1(current))
        key_list: list[str | bytes] = [partition.index, records[i], claims[i], old_claim, in_the_way]
        args = (entry.id, entry.document, _sha1(current), holders[i], sha1)
        commands.append(bulk.packed(scripts.PUT, partition, key_list, *args))
    return commands


def _replace_in_steps(bulk: Bulk, entry: Entry) -> None:
    """Over several partitions: the users in conflict are deleted first."""
    record = bulk.layout.of(entry.id).record(entry.id)
    claim_partition = bulk.layout.of_email(entry.email)
    claim = claim_partition.claim(entry.email)
    for _ in range(ATTEMPTS):
        current, found = bulk.read([record])[0], bulk.read([claim])[0]
        if current is not None and current != entry.document:
            remove(bulk, [(entry.id, current)])
        holder = canonical(holder_of(found)) if found else entry.id
        if found and holder != entry.id:
            other = bulk.read([bulk.layout.of(holder).record(holder)])[0] if holder else None
            if holder and other is not None and bulk.layout.claim(email_of(other)) == claim:
                remove(bulk, [(holder, other)])
            bulk.script("settle", scripts.SETTLE, claim_partition, [claim], found, "")
        [loaded] = load(bulk, [entry])
        if not loaded.conflicts:
            return
    raise Busy


def remove(bulk: Bulk, users: Sequence[tuple[str, bytes]]) -> int:
    """Deletes users if their documents are still these; returns how many."""
    layout = bulk.layout

    def command(user_id: str, document: bytes) -> tuple[str, bytes]:
        partition = layout.of(user_id)
        key_list = [
            partition.record(user_id),
            partition.index,
            partition.claim(email_of(document)),
            partition.intent(user_id),
        ]
        return bulk.packed(scripts.DELETE, partition, key_list, version(document), user_id)

    replies = bulk.stream("remove", ((user, command(*user)) for user in users))
    removed = [user for user, reply in replies if reply == b"deleted"]
    for user_id, document in removed:
        partition = layout.of_email(email_of(document))
        if partition is not layout.of(user_id):
            firm = f"{user_id} {FAR}"
            bulk.script("settle", scripts.SETTLE, partition, [layout.claim(email_of(document))], firm, "")
    return len(removed)


def _sha1(document: bytes | None) -> str:
    return version(document) if document is not None else ""
