"""Moves all users from one store to another while the service writes to the first.

1. copy     compares every user, stores those that differ, removes those that the source no longer has
2. follow   stores users that clients change meanwhile, until few are left
3. hold     makes the source refuse writes: its epoch becomes a token that expires after HOLD_SECONDS (hold.py)
4. finish   stores the last ones; if the counts are equal, makes the token permanent, otherwise ends the hold

Each step may be repeated: after an interruption, the next run compares everything again and stores what differs.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from packages.redis_pipe import Address
from users_site.identifiers import canonical
from users_site.operations.bulk import READ_BATCH, Bulk
from users_site.operations.changes import Changes
from users_site.operations.documents import BadDocument, identify
from users_site.operations.findings import Key, known_keys, text
from users_site.operations.hold import Hold
from users_site.operations.loading import Entry, load
from users_site.operations.replacing import remove, replace
from users_site.operations.walk import count, record, walk
from users_site.repository import keys
from users_site.repository.entries import FINGERPRINT_BYTES
from users_site.repository.errors import RepositoryError
from users_site.repository.keys import Layout

FEW = 1000
"""Users left to copy when writes are held: 50 ms."""
ROUNDS = 100
"""Rounds of `follow` before the command gives up: clients write faster than it can copy."""
LAST_ID = "g"  # ids are hexadecimal


class MoveError(RepositoryError):
    """The users cannot be moved; the text has the reason and the cure."""


class Move:
    """One run. Every method may raise StoreUnavailable, StoreError."""

    def __init__(self, source: Bulk, target: Bulk) -> None:
        self.source, self.target = source, target
        self.stored = self.removed = 0
        self._hold = Hold(source)
        self._changed: set[bytes] = set()
        self._entries: set[bytes] = set()
        self._mark = target.layout.partitions[0].moving
        self._require_own_target()
        kinds = (keys.RECORD, keys.IDEMPOTENCY, keys.MADE)
        prefixes = [f"{partition}:{kind}:" for partition in source.layout.partitions for kind in kinds]
        self._changes = [Changes(source, client, prefixes) for client in source.clients()]

    def copy(self, advance: Callable[[int], object] = lambda count: None) -> None:
        """Stores the users that differ, removes those that the source does not have.

        `advance` is called with the number of users in each batch. Raises MoveError, ChangesMissed.
        """
        self._store(self._differing(advance))
        for kind in (keys.IDEMPOTENCY, keys.MADE):
            for batch in self.source.scan(kind):
                self._collect()
                self._copy_entries(known_keys(self.source.layout, batch))
        for places, documents in walk(self.target, "", LAST_ID):
            self._collect()
            ids = [user_id for user_id, _ in places]
            self._equalise(ids, self.source.read(_records(self.source, ids)), documents)

    def follow(self) -> None:
        """Stores changed users, until few are left. Raises MoveError, ChangesMissed."""
        for _ in range(ROUNDS):
            self._collect()
            if len(self._changed) <= FEW:
                return
            self._catch_up()
        raise MoveError("users change faster than they can be copied: run the command at a quieter hour")

    def finish(self) -> float:
        """Closes the source for writes and stores the last users; returns for how many seconds writes were refused.

        Raises MoveError and ends the hold if the stores differ or the hold expired.
        """
        started = time.monotonic()
        try:
            self._hold.begin()
            self._collect()
            self._settle()
            if (there := count(self.target)) != (users := count(self.source)):
                raise MoveError(f"the source counts {users:,} users, the target {there:,}: run verify_users on both")
            if not self._hold.keep():
                raise MoveError("the hold of writes expired: run the command again")
        except BaseException:
            self._hold.end()
            raise
        self.target.call("unmark", "DEL", self._mark)
        return time.monotonic() - started

    def close(self) -> None:
        for changes in self._changes:
            changes.close()

    def _require_own_target(self) -> None:
        """Raises MoveError unless the target is empty or filled by this command."""
        if not self.target.call("mark", "EXISTS", self._mark) and count(self.target):
            raise MoveError(f"{self.target.address} holds users already: name an empty store")
        self.target.call("mark", "SET", self._mark, self._hold.token)

    def _collect(self) -> None:
        # Once another run has finished, the service may write to the target.
        if self.target.call("mark", "GET", self._mark) != self._hold.token.encode():
            raise MoveError(f"another run of move_users has begun to fill {self.target.address}: leave it to that one")
        for changes in self._changes:
            for key in known_keys(self.source.layout, changes.take()):
                (self._changed if key.kind == keys.RECORD else self._entries).add(key.raw)

    def _settle(self) -> None:
        """Repeats until both stores are equal in what was written last."""
        last = set(self._changed)
        for _ in range(ROUNDS):
            if not self._catch_up():
                return
            self._changed |= last
        raise MoveError("the target does not keep what it is given: run verify_users on both")

    def _catch_up(self) -> bool:
        """Stores the changed users; returns whether a user differed."""
        changed, self._changed = known_keys(self.source.layout, self._changed), set()
        before = self.stored + self.removed
        for batch in _batches([key.rest for key in changed]):
            wanted = self.source.read(_records(self.source, batch))
            self._equalise(batch, wanted, self.target.read(_records(self.target, batch)))
        entries, self._entries = known_keys(self.source.layout, self._entries), set()
        for batch in _batches(entries):
            self._copy_entries(batch)
        return self.stored + self.removed > before

    def _differing(self, advance: Callable[[int], object]) -> Iterator[Entry]:
        for places, documents in walk(self.source, "", LAST_ID):
            self._collect()
            ids = [user_id for user_id, _ in places]
            stored = self.target.read(_records(self.target, ids))
            for user_id, new, old in zip(ids, documents, stored, strict=True):
                if new is not None and new != old:
                    yield _entry(user_id, new)
            advance(len(ids))

    def _equalise(self, ids: Sequence[bytes], wanted: Sequence[bytes | None], stored: Sequence[bytes | None]) -> None:
        """Makes the target's users equal to the given ones."""
        rows = list(zip(ids, wanted, stored, strict=True))
        gone = [(user_id.decode(), old) for user_id, new, old in rows if new is None and old is not None]
        self.removed += remove(self.target, gone)
        self._store(_entry(user_id, new) for user_id, new, old in rows if new is not None and new != old)

    def _store(self, entries: Iterable[Entry]) -> None:
        # A user deleted here because of its email has another email at the source now, and is stored again later.
        for loaded in load(self.target, entries):
            self.stored += loaded.created
            if loaded.conflicts:
                self.stored += len(loaded.conflicts)
                replace(self.target, [conflict.entry for conflict in loaded.conflicts])

    def _copy_entries(self, batch: Sequence[Key]) -> None:
        """Copies the idempotency entries, with their expiry."""
        raw = [key.raw for key in batch]
        expiries = self.source.each("PEXPIRETIME", raw)
        commands: list[tuple[Any, ...]] = []
        for key, value, at in zip(batch, self.source.read(raw), expiries, strict=True):
            words = (value, "PXAT", at) if value is not None and at > 0 else ()
            names = _names_of(self.target.layout, key, value or b"")
            commands += [("SET", name, *words) if words else ("UNLINK", name) for name in names]
        self.target.pipeline("entries", commands)


def _names_of(layout: Layout, key: Key, entry: bytes) -> list[str]:
    """The keys of an idempotency entry in this layout: its own, and over several partitions the marker of its user."""
    if key.kind == keys.MADE:
        made = canonical(key.rest.decode(errors="replace"))
        return [layout.of(made).made(made)] if made else []
    name = f"{layout.of_entry(key.rest)}:{keys.IDEMPOTENCY}:{key.rest.decode(errors='surrogateescape')}"
    user_id = canonical(entry[FINGERPRINT_BYTES + 1 :][:36].decode(errors="replace"))
    if layout.count == 1 or user_id is None:
        return [name]
    return [name, layout.of(user_id).made(user_id)]


def layout_of(address: Address) -> Layout:
    """The layout of the store there; that of one partition if nothing says otherwise."""
    bulk = Bulk(address, None, is_checked=False)
    try:
        epoch = bulk.read([Layout().partitions[0].epoch])[0] or b""
    finally:
        bulk.close()
    return Layout(int(epoch) if epoch.isdigit() and int(epoch) in keys.COUNTS else 1)


def _records(bulk: Bulk, ids: Sequence[bytes]) -> list[bytes]:
    return [record(bulk.layout.of(_canonical(user_id)), user_id) for user_id in ids]


def _canonical(raw: bytes) -> str:
    user_id = canonical(raw.decode(errors="replace"))
    if user_id is None:
        raise MoveError(f"{text(raw)} is no id of a user: run verify_users first")
    return user_id


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + READ_BATCH] for start in range(0, len(items), READ_BATCH))


def _entry(user_id: bytes, document: bytes) -> Entry:
    try:
        identity = identify(document)
    except BadDocument as error:
        raise MoveError(
            f"the record of {text(user_id)} is not a valid user: {error}; run verify_users first"
        ) from error
    if identity.id.encode() != user_id:
        raise MoveError(f"the record of {text(user_id)} is of another id: run verify_users first")
    return Entry(identity.id, identity.email, document)
