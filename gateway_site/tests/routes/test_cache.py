"""Answers of a route from memory, on sockets and with two kinds of upstream; and the bounds of that memory."""

import asyncio
import gzip
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from common.http.response import RawResponse
from gateway_site.forwarding.cache import Cached
from gateway_site.forwarding.cache_store import Asked, Entry, Store, entry_of
from gateway_site.guard import api_keys
from gateway_site.routes.table import Cache
from gateway_site.tests.routes.conftest import asked
from gateway_site.tests.routes.scripted import Scripted
from tests import in_process
from tests.serving import Served, serving
from tests.wire import exchange, get

TABLE = """
[[routes]]
prefix = "/shop"
upstream = "{upstream}"
cache = {{}}

[[routes]]
prefix = "/coded"
upstream = "{upstream}"
cache = {{}}
compress = {{}}
"""
OUTCOMES = re.compile(r'cache_requests_total\{outcome="(\w+)",route="/(?:shop|coded)\b[^"]*"\} (\d+)')
OLD, NEW = "Thu, 26 Nov 2026 08:00:00 GMT", "Fri, 27 Nov 2026 08:00:00 GMT"
SECONDS = 10


def counted(gateway: Served) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome, count in OUTCOMES.findall(requests.get(f"{gateway.url}/metrics", timeout=SECONDS).text):
        found[outcome] = found.get(outcome, 0) + int(count)
    return found


@pytest.mark.slow
def test_a_fresh_answer_is_given_without_the_upstream(gateway: Served, upstream: Scripted) -> None:
    before = counted(gateway)
    upstream.plan("first", cache_control="max-age=60", etag='"1"', content_type="text/plain", age="3")
    first = asked(gateway)
    again, head, held = asked(gateway), asked(gateway, method="HEAD"), asked(gateway, 'If-None-Match: W/"1", "2"')
    assert [request["method"] for request in upstream.seen()] == ["GET"]
    assert (first.body, again.body, again.status) == (b"first", b"first", 200)
    assert 3 <= int(again.values("age")[0]) <= 3 + SECONDS
    assert again.values("x-request-id") != first.values("x-request-id")
    for name in ("cache-control", "etag", "content-type", "content-length"):
        assert head.values(name) == again.values(name) == first.values(name)
    assert (held.status, held.body, held.values("etag"), held.values("content-type")) == (304, b"", ['"1"'], [])
    after = counted(gateway)
    assert {name: after[name] - before.get(name, 0) for name in ("miss", "hit")} == {"miss": 1, "hit": 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    "second",
    [
        {"path": "/shop?x"},
        {"path": "/shop/%61"},
        {"fields": ("Accept-Language: de",)},
        {"fields": ("Accept-Language: de", "Accept-Language: en")},
        {"host": "Host: localhost"},
        {"fields": ("Accept-Language: en", "Cache-Control: no-cache")},
        {"fields": ("Accept-Language: en", "Cache-Control: max-age=0")},
        {"fields": ("Accept-Language: en", "Cache-Control: no-store")},
        {"fields": ("Accept-Language: en", "Range: bytes=0-1")},
        {"fields": ("Accept-Language: en", "Authorization: Bearer x")},
    ],
    ids=str,
)
def test_another_request_is_another_answer(gateway: Served, upstream: Scripted, second: dict[str, Any]) -> None:
    upstream.plan(cache_control="max-age=60", vary="accept-language")
    for _ in range(2):
        asked(gateway, "Accept-Language: en")
    assert len(upstream.seen()) == 1
    request = get(second.get("path", "/shop"), *second.get("fields", ("Accept-Language: en",)))
    exchange(gateway.port, request.replace(b"Host: 127.0.0.1", second.get("host", "Host: 127.0.0.1").encode()))
    assert len(upstream.seen()) == 2


@pytest.mark.slow
def test_a_stale_answer_is_confirmed_by_the_upstream(gateway: Served, upstream: Scripted) -> None:
    upstream.plan("first", cache_control="no-cache", etag='"1"', x_count="1")
    asked(gateway)
    upstream.plan("never sent", cache_control="no-cache", etag='"1"', x_count="2")
    confirmed, held, other = (
        asked(gateway, *f) for f in ((), ('If-None-Match: "1"',), ('If-None-Match: "0"', f"If-Modified-Since: {OLD}"))
    )
    assert [(a.status, a.body, a.values("x-count")) for a in (confirmed, held, other)] == [
        (200, b"first", ["2"]),
        (304, b"", ["2"]),
        (200, b"first", ["2"]),
    ]
    seen = upstream.seen()
    assert [(s["fields"].get("if-none-match"), s["fields"].get("if-modified-since")) for s in seen] == [
        ('"1"', None)
    ] * 3
    upstream.plan("second", cache_control="max-age=60", etag='"2"')
    assert [asked(gateway).body for _ in range(2)] == [b"second", b"second"]
    assert len(upstream.seen()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("failure", [0, 503], ids=["no answer", "503"])
def test_a_stale_answer_is_given_where_the_upstream_fails_and_it_allows_that(
    gateway: Served, upstream: Scripted, failure: int
) -> None:
    for directive, status in (
        ("stale-if-error=60", 200),
        ("must-revalidate, stale-if-error=60", 502 if not failure else 503),
    ):
        upstream.plan("kept", cache_control=f"max-age=1, {directive}", age="1")
        asked(gateway, path=f"/shop/{status}")
        upstream.plan("", failure)
        answer = asked(gateway, path=f"/shop/{status}")
        assert (answer.status, answer.body == b"kept") == (status, status == 200)


@pytest.mark.slow
def test_a_change_drops_every_answer_of_its_path(gateway: Served, upstream: Scripted) -> None:
    def seen_by_get(path: str) -> int:
        asked(gateway, path=path)
        return sum(request["method"] == "GET" for request in upstream.seen())

    for status, asked_again in ((200, 1), (500, 1), (0, 1), (409, 0)):
        upstream.plan(cache_control="max-age=60")
        asked(gateway, path="/shop/1?x")
        asked(gateway, path="/shop/2")
        upstream.plan("", status, cache_control="max-age=60")
        asked(gateway, path="/shop/1", method="DELETE")
        upstream.plan(cache_control="max-age=60")
        assert (seen_by_get("/shop/1?x"), seen_by_get("/shop/2")) == (asked_again, asked_again)


@pytest.mark.slow
def test_variants_of_coded_answers_are_kept_and_confirmed_apart(gateway: Served, upstream: Scripted) -> None:
    body = "text " * 400
    upstream.plan(body, cache_control="no-cache", etag='"1"', content_type="text/plain")
    for _ in range(2):
        coded, plain = asked(gateway, "Accept-Encoding: gzip", path="/coded"), asked(gateway, path="/coded")
        assert (gzip.decompress(coded.body).decode(), plain.body.decode()) == (body, body)
        assert (coded.values("etag"), plain.values("etag")) == (['"1~gzip"'], ['"1"'])
    assert [request["fields"].get("if-none-match") for request in upstream.seen()] == [None, None, '"1"', '"1"']
    held = asked(gateway, "Accept-Encoding: gzip", 'If-None-Match: "1~gzip"', path="/coded")
    assert (held.status, held.values("etag")) == (304, ['"1~gzip"'])


@pytest.mark.slow
def test_an_answer_is_kept_for_its_caller_alone(tmp_path: Path, upstream: Scripted) -> None:
    made = [api_keys.create(name, frozenset({"shop:read"}), None) for name in ("ada", "bob")]
    (tmp_path / "keys").write_text("".join(f"{line}\n" for _, line in made))
    (tmp_path / "routes.toml").write_text(TABLE.format(upstream=upstream.url))
    settings = {"ROUTES": str(tmp_path / "routes.toml"), "AUTH": "apikey", "AUTH_API_KEYS_FILE": str(tmp_path / "keys")}
    with serving("gateway_site", **settings) as gateway:
        upstream.plan(cache_control="max-age=60")
        for key, _ in (*made, *made):
            assert asked(gateway, f"X-API-Key: {key}").status == 200
        callers = [request["fields"]["x-authenticated-subject"] for request in upstream.seen()]
        assert callers == ["key:ada", "key:bob"]
        assert asked(gateway).status == 401


def entry_with(body: bytes = b"", **fields: str) -> Entry:
    found = entry_of(
        200, [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()], body, 0
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "fields", "lifetime"),
    [
        (200, {"cache-control": "max-age=60"}, 60),
        (404, {"cache-control": "MAX-AGE=60, s-maxage=\"5\""}, 5),
        (200, {"expires": NEW, "date": OLD}, 86400),
        (200, {"expires": NEW, "date": OLD, "cache-control": "max-age=1"}, 1),
        (200, {"cache-control": "no-cache, max-age=60", "etag": '"1"'}, 0),
        (200, {"expires": "0", "last-modified": OLD}, 0),
        (200, {"cache-control": "max-age=x", "etag": '"1"'}, 0),
        (200, {"cache-control": "max-age=0"}, None),
        (200, {"etag": '"1"'}, None),
        (200, {"cache-control": "max-age=60, no-store"}, None),
        (200, {"cache-control": "max-age=60, private=\"a, b\""}, None),
        (200, {"cache-control": "max-age=60", "set-cookie": "a=1"}, None),
        (200, {"cache-control": "max-age=60", "vary": "accept, *"}, None),
        (200, {"cache-control": "max-age=60", "vary": "X-Forwarded-For"}, None),
        (200, {"cache-control": "max-age=60", "vary": ", ".join(f"x-{n}" for n in range(17))}, None),
        (206, {"cache-control": "max-age=60"}, None),
        (500, {"cache-control": "max-age=60"}, None),
    ],
    ids=str,
)  # fmt: skip
def test_what_may_be_kept_and_for_how_long(status: int, fields: dict[str, str], lifetime: int | None) -> None:
    entry = entry_of(status, [(name.encode(), value.encode()) for name, value in fields.items()], b"", 0)
    assert (entry and entry.lifetime) == lifetime


@pytest.mark.parametrize(
    ("value", "grace"),
    [
        ("stale-if-error=9", 9),
        ("stale-if-error=9, no-cache", 0),
        ("stale-if-error=9, must-revalidate", 0),
        ("stale-if-error=9, proxy-revalidate", 0),
        ("stale-if-error=9, s-maxage=5", 0),
        ("stale-if-error=-1", 0),
    ],
)
def test_how_long_a_stale_answer_may_be_used(value: str, grace: int) -> None:
    assert entry_with(cache_control=f"max-age=5, {value}", etag='"1"').grace == grace


@pytest.mark.parametrize("bounds", [Cache(max_entries=3), Cache(max_bytes=8000)], ids=["entries", "bytes"])
def test_what_was_used_least_recently_makes_room(bounds: Cache) -> None:
    store = Store(bounds)
    entry = entry_with(b"x" * 1000, cache_control="max-age=5")
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
    for entry in (
        entry_with(cache_control="max-age=5"),
        entry_with(cache_control="max-age=5", vary="accept-language"),
    ):
        store.add(german, entry)
        assert store.find(german) is entry
    assert store.find(english) is None


@pytest.mark.parametrize("where", ["path", "query", "vary"])
def test_what_requests_send_counts_for_the_bound_too(where: str) -> None:
    store = Store(Cache(max_bytes=100_000))
    entry = entry_with(cache_control="max-age=5", vary="accept")
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


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_an_answer_from_before_a_change_is_not_kept(*, is_cancelled: bool) -> None:
    """Its request was sent before the change, and it arrives after it; also where the client did not wait for the change."""
    answers: list[asyncio.Future[object]] = []

    async def view(request: object, identity: object) -> object:
        answers.append(asyncio.get_running_loop().create_future())
        return await answers[-1]

    async def run() -> int:
        cached = Cached(view, Cache(), has_credentials=True)
        get, put = (asyncio.create_task(cached.serve(in_process.request("/a", method))) for method in ("GET", "PUT"))
        await asyncio.sleep(0)
        if is_cancelled:
            put.cancel()
        else:
            answers[1].set_result(RawResponse(200, []))
        await asyncio.gather(put, return_exceptions=True)
        answers[0].set_result(RawResponse(200, [(b"cache-control", b"max-age=60")]))
        await get
        later = asyncio.create_task(cached.serve(in_process.request("/a")))
        await asyncio.sleep(0)
        later.cancel()
        return len(answers)

    assert asyncio.run(run()) == 3
