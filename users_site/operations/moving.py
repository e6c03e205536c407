"""Moves all users from one store to another while the service writes to the first.

1. copy     compares every user and stores those that differ; users whom the source no longer has are removed
2. follow   stores users that were written to meanwhile, until few are left
3. hold     the source refuses writes: its epoch is a token that expires after HOLD_SECONDS without renewal
4. finish   the last ones; if the counts are equal the token stays for good, else the hold ends

Each step may be repeated: after an interruption, the next run compares everything again and stores what differs.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from packages.redis_pipe import Script, Word
from users_site import identifiers
from users_site.operations.bulk import READ_BATCH, Bulk
from users_site.operations.changes import Changes
from users_site.operations.documents import BadDocument, email_of, identify
from users_site.operations.findings import known_keys, text
from users_site.operations.loading import Entry, load, script
from users_site.operations.replacing import replace
from users_site.repository import keys, scripts
from users_site.repository.errors import RepositoryError
from users_site.repository.users import version

HOLD_SECONDS = 10
FEW = 1000
"""Users left to follow when writes are held: 50 ms."""
ROUNDS = 100
"""How often users are followed before the source is said to be written to faster than users can be copied."""
LAST_ID = "g"  # ids are hexadecimal

_KEEP = Script(
    "keep",
    """\
-- Keeps a hold for good, if it has not expired meanwhile.
-- KEYS 1 epoch   ARGV 1 token   Answers 1 | 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PERSIST', KEYS[1])""",
)


class MoveError(RepositoryError):
    """The users cannot be moved; the text says why, and the cure."""


class Move:
    """One run. Every method may raise StoreUnavailable, StoreError."""

    def __init__(self, source: Bulk, target: Bulk) -> None:
        self.source, self.target = source, target
        self.stored = self.removed = 0
        self._token = f"held by move_users {secrets.token_hex(8)}"
        self._changed: set[bytes] = set()
        self._entries: set[bytes] = set()
        self._require_own_target()
        kinds = (keys.RECORD, keys.IDEMPOTENCY)
        prefixes = [f"{{users:{p}}}:{kind}:" for p in range(identifiers.PARTITIONS) for kind in kinds]
        self._changes = Changes(source, prefixes)

    def copy(self, advance: Callable[[int], object] = lambda count: None) -> None:
        """Stores the users that differ, removes those that the source does not have.

        `advance` is called with the number of users in each batch. Raises MoveError, ChangesMissed.
        """
        self._store(self._differing(advance))
        for batch in self.source.scan(pattern=f"{{users:*}}:{keys.IDEMPOTENCY}:*"):
            self._copy_entries(batch)
        for ids, documents in self.target.documents("", LAST_ID):
            self._collect()
            there = self.source.read(_records(ids))
            self._remove(
                [(i, d) for i, d, known in zip(ids, documents, there, strict=True) if d is not None and known is None]
            )

    def follow(self) -> None:
        """Returns when few users are left that were written to. Raises MoveError, ChangesMissed."""
        for _ in range(ROUNDS):
            self._collect()
            if len(self._changed) <= FEW:
                return
            self._catch_up()
        raise MoveError("users change faster than they can be copied: run the command at a quieter hour")

    def finish(self) -> float:
        """Closes the source for writes and stores the last users; how many seconds writes were refused so far.

        Raises MoveError and lifts the hold if the stores differ or the hold expired.
        """
        started = time.monotonic()
        try:
            self._hold()
            self._collect()
            self._settle()
            if (there := self.target.count()) != (count := self.source.count()):
                raise MoveError(f"the source counts {count:,} users, the target {there:,}: run verify_users on both")
            for epoch in _epochs():
                if not self.source.call("keep", *_KEEP.whole(1, epoch, self._token)):
                    raise MoveError("the hold of writes expired: run the command again")
        except BaseException:
            self.call_off()
            raise
        self.target.call("unmark", "DEL", keys.moving())
        return time.monotonic() - started

    def call_off(self) -> None:
        """The source takes writes again, if this run holds it."""
        for epoch in _epochs():
            if self.source.call("release", "GET", epoch) == self._token.encode():
                self.source.call("release", "DEL", epoch)

    def close(self) -> None:
        """Ends the connections that report writes."""
        self._changes.close()

    def _require_own_target(self) -> None:
        """The target is empty, or a run of this command has filled it."""
        if not self.target.call("mark", "EXISTS", keys.moving()):
            if self.target.count():
                raise MoveError(f"{self.target.address} holds users already: name an empty store")
            self.target.call("mark", "SET", keys.moving(), str(self.source.address))

    def _hold(self) -> None:
        for epoch in _epochs():
            self.source.call("hold", "SET", epoch, self._token, "EX", HOLD_SECONDS)

    def _collect(self) -> None:
        for key in known_keys(self._changes.take()):
            (self._changed if key.kind == keys.RECORD else self._entries).add(key.raw)

    def _settle(self) -> None:
        """Repeats until both stores were read and are equal in what was written to last."""
        last = set(self._changed)
        for _ in range(ROUNDS):
            if not self._catch_up():
                return
            self._changed |= last
        raise MoveError("the target does not keep what it is given: run verify_users on both")

    def _catch_up(self) -> bool:
        """Stores those that were written to; whether a user differed."""
        changed, self._changed = known_keys(self._changed), set()
        before = self.stored + self.removed
        for batch in _batches([key.rest for key in changed]):
            documents, stored = self.source.read(_records(batch)), self.target.read(_records(batch))
            rows = list(zip(batch, documents, stored, strict=True))
            self._remove([(i, old) for i, new, old in rows if new is None and old is not None])
            self._store(_entry(i, new) for i, new, old in rows if new is not None and new != old)
        entries, self._entries = sorted(self._entries), set()
        for batch in _batches(entries):
            self._copy_entries(batch)
        return self.stored + self.removed > before

    def _differing(self, advance: Callable[[int], object]) -> Iterator[Entry]:
        for ids, documents in self.source.documents("", LAST_ID):
            self._collect()
            stored = self.target.read(_records(ids))
            for user_id, new, old in zip(ids, documents, stored, strict=True):
                if new is not None and new != old:
                    yield _entry(user_id, new)
            advance(len(ids))

    def _store(self, entries: Iterable[Entry]) -> None:
        # A user who is deleted here for an email has another one at the source by now, and so is stored again in its turn.
        for loaded in load(self.target, entries):
            self.stored += loaded.created
            if loaded.conflicts:
                self.stored += len(loaded.conflicts)
                replace(self.target, [conflict.entry for conflict in loaded.conflicts])

    def _remove(self, users: list[tuple[bytes, bytes]]) -> None:
        commands = [(1, script(scripts.DELETE, *_deletion(user_id.decode(), document))) for user_id, document in users]
        self.removed += sum(reply == b"deleted" for _, reply in self.target.stream("remove", commands))

    def _copy_entries(self, batch: Sequence[bytes]) -> None:
        """Entries of Idempotency-Keys, with their expiry."""
        expiries = self.source.pipeline("expiries", [("PEXPIRETIME", key) for key in batch])
        found = list(zip(batch, self.source.read(batch), expiries, strict=True))
        writes = [("SET", key, value, "PXAT", at) for key, value, at in found if value is not None and at > 0]
        gone = [("UNLINK", key) for key, value, _ in found if value is None]
        self.target.pipeline("entries", [*writes, *gone])


def release(source: Bulk) -> bool:
    """Lifts the hold that a finished move left on its source; whether there was one."""
    held = [epoch for epoch in _epochs() if (source.call("release", "GET", epoch) or b"").startswith(b"held by ")]
    for epoch in held:
        source.call("release", "DEL", epoch)
    return bool(held)


def _epochs() -> list[str]:
    return [keys.epoch(partition) for partition in range(identifiers.PARTITIONS)]


def _records(ids: Sequence[bytes]) -> list[bytes]:
    return [keys.record(identifiers.partition_of(i.decode(errors="replace"))).encode() + i for i in ids]


def _batches(items: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
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


def _deletion(user_id: str, document: bytes) -> tuple[list[str], list[Word]]:
    partition = identifiers.partition_of(user_id)
    return keys.of_user(partition, user_id, email_of(document)), [version(document), user_id]
