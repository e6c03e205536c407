"""The data layout. Every key has the hash tag of its partition, so that one script may use all keys of a partition.

{tag}:user:<id>        string   the user, as served
{tag}:ids              zset     every id at score 0; UUIDv7 ids sort by creation, so pages are ZRANGE … BYLEX
{tag}:email:<email>    string   id; the claim that keeps the email unique, by its identity
{tag}:epoch            string   number of partitions, absent for 1: the scripts refuse any other
{tag}:moving           string   only while move_users fills this store: the id of the run
{tag}:idem:<key>       string   fingerprint of the request and its first answer, 24 h; for an authenticated caller the key
                                is "<digest of the caller> <key>": a key alone cannot contain a space

Only over several partitions (cross_partition.py, entries.py):

{tag}:email:<email>    string   "<id> far": the user is in another partition, and its record decides;
                                "<id> <token>": not yet, while that intent exists
{tag}:intent:<id>      string   token of a change of email to another partition that is not committed, 60 s
{tag}:suspects         zset     identities of emails whose claim may be stale, by the time of the check (ms)
{tag}:made:<id>        string   as {tag}:idem:…, of a user whose Idempotency-Key has its entry in another partition
"""

import hashlib
import zlib
from collections.abc import Iterable

from users_contract.identity import identity
from users_site.identifiers import bits_in, bits_of
from users_site.repository.errors import WrongLayout

COUNTS = (1, 16, 64)
RECORD, INDEX, CLAIM, IDEMPOTENCY, EPOCH, MOVING = "user", "ids", "email", "idem", "epoch", "moving"
INTENT, SUSPECTS, MADE = "intent", "suspects", "made"
ONE = "users:0"
HELD = b"held "
"""Prefix of a store's epoch while move_users holds its writes."""

# One tag near the middle of each 64th of the slots, so that an even split of the slots splits the partitions evenly.
_TAGS = (
    "ums u6o u9w ubk ui3 u5b uan uaf u79 ukh udp uc5 u3y u3q uxa uxi u8y uce uk0 u7a ux1 ux9 "
    "uop u4l ub3 uzj u1z ujf ufs uyg u2w uik usw ulc ud6 u8g uw7 uon u4c ug3 ujx u1d u91 u99 "
    "un8 u2i uyy ufm ubu u9i u6q umm uf5 uap u21 u29 udf udn ukv u0j ugk ugc uo6 u3g"
)
TAGS = tuple(_TAGS.split(" "))


class Partition:
    """The keys of one partition."""

    def __init__(self, number: int, tag: str) -> None:
        self.number, self.tag = number, tag
        self.index, self.epoch, self.moving, self.suspects = (
            f"{self}:{name}" for name in (INDEX, EPOCH, MOVING, SUSPECTS)
        )
        self.records, self.claims, self.intents = (f"{self}:{kind}:" for kind in (RECORD, CLAIM, INTENT))

    def __str__(self) -> str:
        return f"{{{self.tag}}}"

    def record(self, user_id: str) -> str:
        return self.records + user_id

    def claim(self, email: str) -> str:
        """The same key for every spelling of an email."""
        return self.claims + identity(email)

    def intent(self, user_id: str) -> str:
        return self.intents + user_id

    def made(self, user_id: str) -> str:
        return f"{self}:{MADE}:{user_id}"

    def idempotency(self, key: str, caller: str = "") -> str:
        return f"{self}:{IDEMPOTENCY}:{_owned(key, caller)}"


class Layout:
    """Maps users, emails and idempotency entries to partitions."""

    def __init__(self, count: int = 1) -> None:
        tags = [ONE] if count == 1 else TAGS[32 // count :: 64 // count]
        self.partitions = tuple(Partition(number, tag) for number, tag in enumerate(tags))
        self.with_epoch = self.partitions if count == 1 else (Partition(0, ONE), *self.partitions)
        """The partitions that have an epoch, first the one of PARTITIONS=1: a service with that number finds it there."""
        self.by_tag = {partition.tag: partition for partition in self.partitions}
        self.count = count
        self.epoch = str(count)
        self.pattern = "{users:*}" if count == 1 else "{u??}"
        """The glob pattern of every key."""

    def require(self, epochs: Iterable[bytes | None]) -> None:
        """Returns if these are the epochs of a store of this layout, also while its writes are held. Raises
        WrongLayout."""
        known = {epoch for epoch in epochs if epoch is not None and not epoch.startswith(HELD)}
        if others := known - {self.epoch.encode()}:
            raise WrongLayout(self.epoch, max(others).decode(errors="replace"))

    def of(self, user_id: str) -> Partition:
        """The partition of a user, by the canonical id."""
        return self.partitions[0 if self.count == 1 else bits_in(user_id) % self.count]

    def of_email(self, email: str) -> Partition:
        """The partition of an email's claim, and of the user if it was created with this email."""
        return self.partitions[0 if self.count == 1 else bits_of(email) % self.count]

    def claim(self, email: str) -> str:
        """The key of an email's claim, in its partition."""
        return self.of_email(email).claim(email)

    def of_key(self, key: str, caller: str) -> Partition:
        """The partition of the entry of this caller's Idempotency-Key."""
        return self.of_entry(_owned(key, caller).encode())

    def of_entry(self, name: bytes) -> Partition:
        """The partition of an entry, by the part of its key after the kind."""
        return self.partitions[0 if self.count == 1 else zlib.crc32(name) % self.count]


def _owned(key: str, caller: str) -> str:
    return f"{hashlib.sha256(caller.encode()).hexdigest()[:32]} {key}" if caller else key
