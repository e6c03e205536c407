"""API keys: their form, the file with their hashes, and the check of one.

A key is `ugk_<id>_<secret>`. The secret has 256 random bits, so one round of SHA-256 suffices; a slow hash would only
slow every request. A line of the file, its fields separated by white space; `#` starts a comment:

    <id>         <name>    <scopes>                <expires>            sha256:<of the whole key, hex>
    5f0c4c7e9a43 reporting users:read,users:write  2027-12-31T00:00:00Z sha256:…
"""

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from common.observability.notices import Notices
from gateway_site.guard import challenge
from gateway_site.guard.metrics import KEY_FILE_READS
from gateway_site.guard.principal import Principal, principal

PREFIX = b"ugk_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NEVER = "never"

LOOK_SECONDS = 1.0
"""The period of the check for a changed file, by one `stat`."""

MAX_FILE_BYTES = 1 << 20
"""Some 8,000 keys. The event loop reads the file: a larger one would delay requests."""

_ID, _HASH = re.compile(r"[0-9a-f]{12}"), re.compile(r"sha256:([0-9a-f]{64})")

notices = Notices(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the file. `expires`: seconds since 1970."""

    principal: Principal
    expires: float


def create(name: str, scopes: frozenset[str], expires: datetime | None) -> tuple[str, str]:
    """A new key, and its line for the file."""
    identifier = secrets.token_hex(6)
    key = f"ugk_{identifier}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    until = expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if expires else NEVER
    return key, f"{identifier} {name} {','.join(sorted(scopes))} {until} sha256:{digest}"


def parse(text: str, scopes: Set[str]) -> dict[bytes, Entry]:
    """The entries by the hash of their key; `scopes`: all valid ones. Raises ValueError with the number of a malformed
    line."""
    entries: dict[bytes, Entry] = {}
    taken: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        try:
            identifier, digest, entry = _entry(fields, scopes)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if identifier in taken:
            raise ValueError(f"line {number}: the id {identifier} is taken")
        taken.add(identifier)
        entries[digest] = entry
    return entries


def _entry(fields: list[str], known: Set[str]) -> tuple[str, bytes, Entry]:
    # The texts contain no value: it could be a key in the place of its hash, and would be logged.
    if len(fields) != 5:
        raise ValueError("a line has five fields: id, name, scopes, expiry, hash")
    identifier, name, scopes, until, hashed = fields
    if not _ID.fullmatch(identifier) or not NAME.fullmatch(name):
        raise ValueError("the id or the name is malformed")
    granted = frozenset(scopes.split(","))
    if not granted <= known:
        raise ValueError(f"scopes are {', '.join(sorted(known))}")
    found = _HASH.fullmatch(hashed)
    if found is None:
        raise ValueError("the hash is not sha256: and 64 hexadecimal digits")
    return identifier, bytes.fromhex(found[1]), Entry(principal("key", name, granted), parse_time(until))


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time, or infinity for `never`. Raises ValueError."""
    if text == NEVER:
        return inf
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise ValueError(f"the expiry is neither {NEVER} nor a time like 2027-12-31T00:00:00Z")
    return parsed.timestamp()


class ApiKeys:
    """The keys of a file, read again after a change; an invalid file is ignored.

    `scopes`: all there are; may grow. Raises OSError, ValueError if the file is invalid at the start.
    """

    def __init__(self, path: Path, scopes: Set[str], clock: Callable[[], float] = time.time) -> None:
        self._path, self._scopes, self._clock = path, scopes, clock
        self._seen = self._version()
        self._entries = self._read()
        self._verified: dict[bytes, Entry] = {}  # valid keys as they were sent: at most one for each entry
        self._look_at = time.monotonic() + LOOK_SECONDS

    async def check(self, key: bytes) -> Principal:
        """The key's owner. Raises Problem (401).

        It finds keys by their hash, so that timing reveals nothing. The hash of a valid key is computed once: in cold
        caches OpenSSL costs as much as the rest of the guard.
        """
        if time.monotonic() >= self._look_at:
            self._look()
        entry = self._verified.get(key) or self._entries.get(hashlib.sha256(key).digest())
        if entry is None:
            raise challenge.invalid("unknown_key", "The API key is not known")
        self._verified[key] = entry
        if self._clock() >= entry.expires:
            raise challenge.invalid("expired", "The API key has expired")
        return entry.principal

    def _look(self) -> None:
        self._look_at = time.monotonic() + LOOK_SECONDS
        version = self._version()
        if version == self._seen:
            return
        self._seen = version
        try:
            self._entries, self._verified = self._read(), {}
        except (OSError, ValueError) as error:
            KEY_FILE_READS.labels("failed").inc()
            notices.warn("AUTH_API_KEYS_FILE cannot be read, the previous keys stay", reason=why(error))
            return
        KEY_FILE_READS.labels("ok").inc()
        notices.warn("AUTH_API_KEYS_FILE was read again", keys=len(self._entries))

    def _version(self) -> tuple[int, ...] | None:
        """A value that differs after a change; None without a file. It is read before the file, so that a change in
        between is found later.

        New scopes are a change too: a file with scopes that no route had was refused.
        """
        try:
            found = self._path.stat()
        except OSError:
            return None
        # ctime: nobody can set it, and permissions change it
        return found.st_ctime_ns, found.st_ino, found.st_size, len(self._scopes)

    def _read(self) -> dict[bytes, Entry]:
        with self._path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES} bytes")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8 text") from None
        return parse(text, self._scopes)


def why(error: OSError | ValueError) -> str:
    """One line, without the file's content."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
