"""Which answers are kept, for how long, and within which bounds."""

import pytest

from gateway_site.forwarding.cache_store import Asked, Entry, Store, entry_of
from gateway_site.routes.table import Cache

OLD, NEW = "Thu, 26 Nov 2026 08:00:00 GMT", "Fri, 27 Nov 2026 08:00:00 GMT"
TAGGED = {"etag": '"1"'}


def made(cache_control: str, fields: dict[str, str], status: int = 200, body: bytes = b"") -> Entry | None:
    given = {"cache-control": cache_control, **fields}
    return entry_of(status, [(name.encode(), value.encode()) for name, value in given.items() if value], body, 0)


def fresh(body: bytes = b"", vary: str = "") -> Entry:
    found = made("max-age=5", {"vary": vary}, body=body)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "cache_control", "fields", "lifetime", "grace"),
    [
        (200, "max-age=60", {}, 60, 0),
        (404, 'MAX-AGE=60, s-maxage="5"', {}, 5, 0),
        (200, "", {"expires": NEW, "date": OLD}, 86400, 0),
        (200, "max-age=1", {"expires": NEW, "date": OLD}, 1, 0),
        (200, "no-cache, max-age=60", TAGGED, 0, 0),
        (200, "", {"expires": "0", "last-modified": OLD}, 0, 0),
        (200, "max-age=x", TAGGED, 0, 0),
        (200, "max-age=5, stale-if-error=9", {}, 5, 9),
        (200, "max-age=5, stale-if-error=9, no-cache", TAGGED, 0, 0),
        (200, "max-age=5, stale-if-error=9, must-revalidate", {}, 5, 0),
        (200, "max-age=5, stale-if-error=9, proxy-revalidate", {}, 5, 0),
        (200, "max-age=5, stale-if-error=9, s-maxage=5", {}, 5, 0),
        (200, "max-age=5, stale-if-error=-1", {}, 5, 0),
    ],
)
def test_what_may_be_kept_and_for_how_long(
    status: int, cache_control: str, fields: dict[str, str], lifetime: int, grace: int
) -> None:
    found = made(cache_control, fields, status)
    assert found is not None
    assert (found.lifetime, found.grace) == (lifetime, grace)


@pytest.mark.parametrize(
    ("status", "cache_control", "fields"),
    [
        (200, "max-age=0", {}),
        (200, "", TAGGED),
        (200, "max-age=60, no-store", {}),
        (200, 'max-age=60, private="a, b"', {}),
        (200, "max-age=60", {"set-cookie": "a=1"}),
        (200, "max-age=60", {"vary": "accept, *"}),
        (200, "max-age=60", {"vary": "X-Forwarded-For"}),
        (200, "max-age=60", {"vary": ", ".join(f"x-{n}" for n in range(17))}),
        (206, "max-age=60", {}),
        (500, "max-age=60", {}),
    ],
)
def test_what_must_not_be_kept(status: int, cache_control: str, fields: dict[str, str]) -> None:
    assert made(cache_control, fields, status) is None


@pytest.mark.parametrize("bounds", [Cache(max_entries=3), Cache(max_bytes=8000)], ids=["entries", "bytes"])
def test_what_was_used_least_recently_makes_room(bounds: Cache) -> None:
    store = Store(bounds)
    entry = fresh(b"x" * 1000)
    asked = [Asked(f"/{number}", number, [], 0, 0) for number in range(4)]
    for each in sorted(2 * asked[:3]):  # the second replaces the first
        store.add(each, entry)
    assert store.find(asked[0]) is entry
    store.add(asked[3], entry)
    assert [store.find(each) is not None for each in asked] == [True, False, True, True]
    for number in range(4):
        store.drop(f"/{number}")
    assert vars(store) == vars(Store(bounds))


def test_answers_kept_before_their_path_varies_are_dropped() -> None:
    store = Store(Cache())
    german, english = (Asked("/", "", [(b"accept-language", language)], 0, 0) for language in (b"de", b"en"))
    for entry in (fresh(), fresh(vary="accept-language")):
        store.add(german, entry)
        assert store.find(german) is entry
    assert store.find(english) is None


@pytest.mark.parametrize("where", ["path", "query", "vary"])
def test_what_requests_send_counts_for_the_bound_too(where: str) -> None:
    store = Store(Cache(max_bytes=100_000))
    entry = fresh(vary="accept")
    kept = []
    for number in range(20):
        long = f"{number:010000}"
        path = long if where == "path" else "/"
        base = path, long if where == "query" else ""
        fields = [(b"accept", long.encode())] if where == "vary" else []
        kept.append(Asked(path, base, fields, 0, 0))
        store.add(kept[-1], entry)
    found = sum(store.find(each) is not None for each in kept)
    assert found == (4 if where == "path" else 8), "a path is kept as bytes and as text"
