"""Compares records, claims and indexes while the service continues to write.

One atomic script (lua/agree_*.lua) checks each suspect of a batch again, and repairs it in the same step: a user that is
created, changed or deleted meanwhile is not a finding. Claims come first: when the stale ones are gone, a record without
a claim can take its own. SCAN may return a key twice while Redis resizes its table. What lies in two partitions is in
verify_cross_partition.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from packages.redis_pipe import Script
from users_site.operations.bulk import Bulk
from users_site.operations.documents import BadDocument, Identity, identify
from users_site.operations.findings import Finding, Key, Kind, known_keys, text
from users_site.operations.verify_cross_partition import CrossPartitionFindings
from users_site.operations.walk import record
from users_site.repository import keys, scripts
from users_site.repository.change import version
from users_site.repository.claims import is_cross_partition
from users_site.repository.entries import CREATED, FINGERPRINT_BYTES, IDEMPOTENCY_SECONDS, OPEN, TAKEN
from users_site.repository.errors import StoreError
from users_site.repository.keys import Partition

LOOKS = 3
"""How often a user that changes meanwhile is checked again; then the next run must decide."""


class Verification:
    """One run over a store. `checked` counts the entries; `advance` is called with their number after each batch."""

    def __init__(self, bulk: Bulk, *, repair: bool, advance: Callable[[int], object] = lambda count: None) -> None:
        self.bulk, self.repair, self.advance = bulk, repair, advance
        self.cross_partition = CrossPartitionFindings(bulk, repair=repair)
        self.checked = Counter({"records": 0, "claims": 0, "index entries": 0, "idempotency entries": 0})

    def run(self) -> Iterator[Finding]:
        """Every finding; with `repair`, those of REPAIRABLE are fixed when they are yielded."""
        for batch in self.bulk.scan(keys.CLAIM):
            yield from self._claims(self._known(batch))
            self._count("claims", batch)
        for batch in self.bulk.scan():
            known = self._known(batch)
            yield from self._unknown(batch, known)
            yield from self._records([key for key in known if key.kind == keys.RECORD])
            yield from self._idempotency([key for key in known if key.kind in {keys.IDEMPOTENCY, keys.MADE}])
        for partition in self.bulk.layout.partitions:
            yield from self._index(partition)

    def _known(self, batch: list[bytes]) -> list[Key]:
        return known_keys(self.bulk.layout, batch)

    def _count(self, what: str, batch: Sequence[Any]) -> None:
        self.checked[what] += len(batch)
        self.advance(len(batch))

    def _unknown(self, batch: list[bytes], known: list[Key]) -> Iterator[Finding]:
        if len(known) < len(batch):
            for raw in sorted(set(batch) - {key.raw for key in known}):
                yield Finding(Kind.KEY_UNKNOWN, text(raw))

    # Claims

    def _claims(self, claims: list[Key]) -> Iterator[Finding]:
        holders = self.bulk.read([key.raw for key in claims])
        held = [(key, holder) for key, holder in zip(claims, holders, strict=True) if holder is not None]
        yield from self.cross_partition.claims([pair for pair in held if is_cross_partition(pair[1])])
        near = [pair for pair in held if not is_cross_partition(pair[1])]
        documents = self.bulk.read([record(key.partition, holder) for key, holder in near])
        for (key, holder), document in zip(near, documents, strict=True):
            if self._is_stale(key, document) and self._agree_claim(key, holder, document):
                yield Finding(Kind.CLAIM_STALE, text(key.raw), f"it names {text(holder)}")
        yield from self._of_other_types(claims, holders)
        yield from self._expiring(claims)

    def _is_stale(self, claim: Key, document: bytes | None) -> bool:
        if document is None:
            return True
        # The fast form of the rule below: within a JSON string a quote has a backslash before it.
        if b'"email":"%b"' % claim.rest in document:
            return False
        try:
            return claim.partition.claim(identify(document).email).encode() != claim.raw
        except BadDocument:  # its email is unknown: the record is a finding
            return False

    def _agree_claim(self, key: Key, holder: bytes, document: bytes | None) -> bool:
        right: bytes | str = key.raw
        if document is not None and self.bulk.layout.of_email(email := identify(document).email) is key.partition:
            right = key.partition.claim(email)
        seen = version(document) if document is not None else ""
        three = [key.raw, record(key.partition, holder), right]
        return self._agree(scripts.AGREE_CLAIM, key.partition, three, holder, seen) == [b"stale"]

    # Records

    def _records(self, records: list[Key]) -> Iterator[Finding]:
        documents = self.bulk.read([key.raw for key in records])
        valid: list[tuple[Key, Identity]] = []
        for key, document in zip(records, documents, strict=True):
            if document is None:
                continue
            try:
                identity = identify(document)
            except BadDocument as error:
                yield Finding(Kind.RECORD_BROKEN, text(key.raw), str(error))
                continue
            if problem := self._misplaced(key, identity):
                yield Finding(Kind.RECORD_MISPLACED, text(key.raw), problem)
            else:
                valid.append((key, identity))
        yield from self._of_other_types(records, documents)
        yield from self._expiring(records)
        for key, identity in self._odd(valid):
            yield from self._look_at_record(key, identity.id)
        self._count("records", records)

    def _misplaced(self, key: Key, identity: Identity) -> str:
        if key.rest != identity.id.encode():
            return f"its document is of {identity.id}"
        wanted = self.bulk.layout.of(identity.id)
        return "" if wanted is key.partition else f"it belongs to {wanted}"

    def _odd(self, valid: list[tuple[Key, Identity]]) -> Iterator[tuple[Key, Identity]]:
        """The suspects: records whose claim or index entry differs."""
        of_email = self.bulk.layout.of_email
        holders = self.bulk.read([self.bulk.layout.claim(identity.email) for _, identity in valid])
        try:
            scores = self.bulk.scores([(key.partition, identity.id) for key, identity in valid])
        except StoreError:  # an index of another type is reported as such
            scores = [0.0] * len(valid)
        for (key, identity), holder, score in zip(valid, holders, scores, strict=True):
            right = holder if of_email(identity.email) is key.partition else (holder or b"")[:36]
            if right != identity.id.encode() or score != 0:
                yield key, identity

    def _look_at_record(self, key: Key, user_id: str) -> Iterator[Finding]:
        for _ in range(LOOKS):
            document = self.bulk.read([key.raw])[0]
            if document is None:  # deleted meanwhile
                return
            email = identify(document).email
            is_cross_partition = self.bulk.layout.of_email(email) is not key.partition
            # For a user with an email of another partition, repair only the index: the script cannot make the claim.
            claim = key.raw if is_cross_partition else key.partition.claim(email)
            three: list[str | bytes] = [key.raw, key.partition.index, claim]
            outcome, *found = self._agree(scripts.AGREE_RECORD, key.partition, three, user_id, version(document))
            if outcome == b"same":
                holder, score = found
                if score == b"":
                    yield Finding(Kind.RECORD_UNINDEXED, text(key.raw))
                elif score != b"0":
                    yield Finding(Kind.INDEX_MISPLACED, text(key.raw), f"its score is {text(score)}")
                if is_cross_partition:
                    yield from self.cross_partition.record(key, user_id, email)
                elif holder != user_id.encode():
                    yield self._wrong_holder(key, email, holder)
                return

    def _wrong_holder(self, key: Key, email: str, holder: bytes) -> Finding:
        other = self.bulk.read([record(key.partition, holder)])[0] if holder else None
        [claim] = self._known([key.partition.claim(email).encode()])
        if other is not None and not self._is_stale(claim, other):
            return Finding(Kind.EMAIL_SHARED, text(key.raw), f"{text(holder)} has it too: change or delete one of them")
        return Finding(Kind.RECORD_UNCLAIMED, text(key.raw), f"the claim names {text(holder)}" if holder else "")

    # Index and idempotency entries

    def _index(self, partition: Partition) -> Iterator[Finding]:
        [kind] = self.bulk.each("TYPE", [partition.index])
        if kind == b"none":
            return
        if kind != b"zset":
            detail = f"it is a {text(kind)}, not a sorted set: delete it, then --repair makes the index"
            yield Finding(Kind.KEY_UNKNOWN, partition.index, detail)
            return
        yield from self._expiring(self._known([partition.index.encode()]))
        for members in self.bulk.entries(partition):
            there = self.bulk.each("EXISTS", [record(partition, member) for member in members])
            for member, exists in zip(members, there, strict=True):
                pair: list[bytes | str] = [partition.index, record(partition, member)]
                if not exists and self._agree(scripts.AGREE_INDEX, partition, pair, member) == [b"stale"]:
                    yield Finding(Kind.INDEX_STALE, partition.index, f"it names {text(member)}")
            self._count("index entries", members)

    def _idempotency(self, entries: list[Key]) -> Iterator[Finding]:
        values = self.bulk.read([key.raw for key in entries])
        lives = self.bulk.each("TTL", [key.raw for key in entries])
        for key, value, seconds in zip(entries, values, lives, strict=True):
            if value is None:  # expired meanwhile, or not a string
                continue
            if not _is_readable(value):
                self._mend("DEL", key.raw)
                yield Finding(Kind.IDEMPOTENCY_BROKEN, text(key.raw))
            elif seconds == -1 or seconds > IDEMPOTENCY_SECONDS:
                self._mend("EXPIRE", key.raw, IDEMPOTENCY_SECONDS)
                yield Finding(Kind.IDEMPOTENCY_STUCK, text(key.raw), "it never expires" if seconds == -1 else "")
        yield from self._of_other_types(entries, values)
        self._count("idempotency entries", entries)

    # Shared

    def _of_other_types(self, found: list[Key], values: list[bytes | None]) -> Iterator[Finding]:
        """The keys of another type: a read returns nothing for them, as for missing keys."""
        missing = [key for key, value in zip(found, values, strict=True) if value is None]
        for key, kind in zip(missing, self.bulk.each("TYPE", [key.raw for key in missing]), strict=True):
            if kind not in {b"none", b"string"}:
                yield Finding(Kind.KEY_UNKNOWN, text(key.raw), f"it is a {text(kind)}, not a string")

    def _expiring(self, found: list[Key]) -> Iterator[Finding]:
        for key, seconds in zip(found, self.bulk.each("TTL", [key.raw for key in found]), strict=True):
            if seconds >= 0:
                self._mend("PERSIST", key.raw)
                yield Finding(Kind.KEY_EXPIRING, text(key.raw), f"in {seconds} s")

    def _mend(self, command: str, key: bytes, *words: int) -> None:
        if self.repair:
            self.bulk.call("repair", command, key, *words)

    def _agree(
        self, source: Script, partition: Partition, key_list: Sequence[bytes | str], *args: bytes | str
    ) -> list[Any]:
        verb = "repair" if self.repair else "look"
        try:
            reply = self.bulk.script("verify", source, partition, key_list, *args, verb)
        except StoreError as error:
            if error.code == "WRONGTYPE":  # that key has a finding of its own; the script has written nothing
                return [b"changed"]
            raise
        return reply if isinstance(reply, list) else [reply]


def _is_readable(entry: bytes) -> bool:
    """A fingerprint, followed by what entries.py writes there."""
    state, rest = entry[FINGERPRINT_BYTES:][:1].decode(errors="replace"), entry[FINGERPRINT_BYTES + 1 :]
    if state in {CREATED, OPEN}:
        return len(rest.split(b" ")) == 2
    if state in {"", TAKEN}:
        return len(entry) >= FINGERPRINT_BYTES and not rest
    try:
        identify(entry[FINGERPRINT_BYTES:])
    except BadDocument:
        return False
    return True
