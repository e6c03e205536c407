"""Stored answers: which may be stored, for how long (RFC 9111 §3, §4.2), and where."""

import re
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from django.utils.http import parse_http_date_safe

from common.http.response import Headers
from gateway_site.forwarding.headers import joined
from gateway_site.routes.field_names import SET_BY_US
from gateway_site.routes.table import Cache

STORABLE = frozenset({200, 203, 301, 308, 404, 410})
UNKNOWN = SET_BY_US - {b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix"} | {b"*"}
"""Field names in Vary whose values are not in the key."""

MAX_VARY = 16
FIELD_BYTES, ENTRY_BYTES = 130, 1000
"""Python's memory for a field and for an entry, besides the text."""

_DIRECTIVE = re.compile(rb"""([a-z0-9-]+)(?:=(?:"([^"]*)"|([^\s,"]*)))?""")


def directives(fields: Headers) -> dict[bytes, bytes]:
    """The directives of Cache-Control, in lower case."""
    found = _DIRECTIVE.findall(joined(fields, b"cache-control").lower())
    return {name: quoted or plain for name, quoted, plain in found}


def seconds(value: bytes | None) -> int:
    """The value of a directive or an Age; 0 if malformed (§4.2.1)."""
    return int(value[:9]) if value is not None and value.isdigit() else 0


class Entry(NamedTuple):
    """`born`: the time.monotonic() at which its age was 0. It is stale after `lifetime` seconds, and may be used for
    `grace` more if the upstream fails."""

    status: int
    fields: Headers
    body: bytes
    born: float
    lifetime: int
    grace: int
    etag: bytes | None
    modified: bytes | None
    vary: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return ENTRY_BYTES + len(self.body) + sum(FIELD_BYTES + len(name) + len(value) for name, value in self.fields)

    @property
    def condition(self) -> tuple[bytes, bytes] | None:
        """The request fields that revalidate it."""
        if self.etag:
            return b"if-none-match", self.etag
        return (b"if-modified-since", self.modified) if self.modified else None


def entry_of(status: int, fields: Headers, body: bytes, asked_at: float) -> Entry | None:
    """The entry of an answer; None if it must not be stored or has no freshness."""
    given, names = directives(fields), dict(fields)
    vary = tuple(sorted({name.strip() for name in joined(fields, b"vary").lower().split(b",") if name.strip()}))
    if status not in STORABLE or b"set-cookie" in names or b"no-store" in given or b"private" in given:
        return None
    if len(vary) > MAX_VARY or not UNKNOWN.isdisjoint(vary):
        return None
    lifetime = _lifetime(given, names)
    etag, modified = names.get(b"etag"), names.get(b"last-modified")
    if lifetime is None or (lifetime <= 0 and not etag and not modified):
        return None
    # s-maxage includes proxy-revalidate (§5.2.2.10).
    is_strict = not given.keys().isdisjoint({b"no-cache", b"must-revalidate", b"proxy-revalidate", b"s-maxage"})
    grace = 0 if is_strict else seconds(given.get(b"stale-if-error"))
    kept = [field for field in fields if field[0] != b"age"]
    born = asked_at - seconds(names.get(b"age"))
    return Entry(status, kept, body, born, lifetime, grace, etag, modified, vary)


def _lifetime(given: dict[bytes, bytes], names: dict[bytes, bytes]) -> int | None:
    if b"no-cache" in given:
        return 0
    for name in (b"s-maxage", b"max-age"):
        if name in given:
            return seconds(given[name])
    if b"expires" not in names:
        return None
    until, date = (parse_http_date_safe(names.get(name, b"").decode("latin-1")) for name in (b"expires", b"date"))
    return until - date if until and date else 0


class Asked(NamedTuple):
    """A request. `base`: what its answer depends on besides the path and the fields in Vary. `at`: time.monotonic().
    `changes`: the store's count of changes then."""

    path: str
    base: Hashable
    fields: Headers
    at: float
    changes: int


class Store:
    """The entries of a route; the least recently used one is evicted first. A key begins with the path, so that a
    change evicts every query, caller and variant of its path."""

    def __init__(self, bounds: Cache) -> None:
        self._bounds, self._size = bounds, 0
        self._entries: OrderedDict[Hashable, tuple[str, Entry, int]] = OrderedDict()  # the last is its size
        self._paths: dict[str, tuple[tuple[bytes, ...], set[Hashable]]] = {}  # the names in Vary, and the keys
        self.changes = 0

    def find(self, asked: Asked) -> Entry | None:
        if asked.path not in self._paths:
            return None
        key = _key(asked, self._paths[asked.path][0])
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][1]

    def add(self, asked: Asked, entry: Entry) -> None:
        """Stores the answer, unless a change came after its request: the answer may be older than the change."""
        if asked.changes != self.changes:
            return
        path = asked.path
        known, _ = self._paths.get(path, (entry.vary, None))
        vary = tuple(sorted({*known, *entry.vary}))
        if vary != known:
            self.drop(path)
        key = _key(asked, vary)
        if key in self._entries:
            self._remove(key)
        self._paths.setdefault(path, (vary, set()))[1].add(key)
        size = entry.size + len(path) + len(repr(key))  # what clients send is part of the key
        self._entries[key] = path, entry, size
        self._size += size
        while self._size > self._bounds.max_bytes or len(self._entries) > self._bounds.max_entries:
            self._remove(next(iter(self._entries)))

    def changed(self, path: str) -> None:
        self.changes += 1
        self.drop(path)

    def drop(self, path: str) -> None:
        for key in [*self._paths[path][1]] if path in self._paths else ():
            self._remove(key)

    def _remove(self, key: Hashable) -> None:
        path, _, size = self._entries.pop(key)
        self._size -= size
        keys = self._paths[path][1]
        keys.discard(key)
        if not keys:
            del self._paths[path]


def _key(asked: Asked, vary: tuple[bytes, ...]) -> Hashable:
    return asked.base, tuple([joined(asked.fields, name) for name in vary])
