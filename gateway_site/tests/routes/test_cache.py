"""Answers of a route from memory, on sockets and with two kinds of upstream."""

import asyncio
import gzip
import re
from pathlib import Path

import pytest
import requests

from common.http.response import RawResponse
from gateway_site.forwarding.cache import Cached
from gateway_site.guard import api_keys
from gateway_site.routes.table import Cache
from gateway_site.tests.routes.conftest import asked
from gateway_site.tests.routes.scripted import Scripted
from tests import in_process
from tests.serving import Served, serving
from tests.wire import exchange, get

pytestmark = pytest.mark.slow

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
SECONDS = 10


def counted(gateway: Served) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome, count in OUTCOMES.findall(requests.get(f"{gateway.url}/metrics", timeout=SECONDS).text):
        found[outcome] = found.get(outcome, 0) + int(count)
    return found


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/shop", "/shop?x"),
        ("/shop", "/shop/%61"),
        ("Language: en", "Language: de"),
        ("Language: en", "Language: de\r\nAccept-Language: en"),
        ("Host: 127.0.0.1", "Host: localhost"),
        ("Accept", "Cache-Control: no-cache\r\nAccept"),
        ("Accept", "Cache-Control: max-age=0\r\nAccept"),
        ("Accept", "Cache-Control: no-store\r\nAccept"),
        ("Accept", "Range: bytes=0-1\r\nAccept"),
        ("Accept", "Authorization: Bearer x\r\nAccept"),
    ],
)
def test_another_request_is_another_answer(gateway: Served, upstream: Scripted, old: str, new: str) -> None:
    upstream.plan(cache_control="max-age=60", vary="accept-language")
    request = get("/shop", "Accept-Language: en")
    for count, asked_now in ((1, request), (1, request), (2, request.replace(old.encode(), new.encode()))):
        exchange(gateway.port, asked_now)
        assert len(upstream.seen()) == count


def test_a_stale_answer_is_confirmed_by_the_upstream(gateway: Served, upstream: Scripted) -> None:
    upstream.plan("first", cache_control="no-cache", etag='"1"', x_count="1")
    asked(gateway)
    upstream.plan("never sent", cache_control="no-cache", etag='"1"', x_count="2")
    confirmed, held, other = (
        asked(gateway, *f)
        for f in (
            (),
            ('If-None-Match: "1"',),
            ('If-None-Match: "0"', "If-Modified-Since: Thu, 26 Nov 2026 08:00:00 GMT"),
        )
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


def test_an_answer_is_kept_for_its_caller_alone(tmp_path: Path, upstream: Scripted) -> None:
    scopes = frozenset({"shop:read", "coded:read", "coded:write"})
    made = [api_keys.create(name, scopes, None) for name in ("ada", "bob")]
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
        before = counted(gateway).get("bypass", 0)
        for method, *fields in (["HEAD"], ["GET", "Range: bytes=0-1"], ["DELETE"]):
            asked(gateway, f"X-API-Key: {made[0][0]}", *fields, method=method, path="/coded")
            assert upstream.seen()[-1]["fields"]["x-authenticated-subject"] == "key:ada"
        assert counted(gateway)["bypass"] == before + 2


async def test_an_answer_from_before_a_change_is_not_kept() -> None:
    """Its request was sent before the change, and it arrives after it. Nobody waited for the outcome of the change."""
    answers: list[asyncio.Future[object]] = []

    async def view(request: object, identity: object) -> object:
        answers.append(asyncio.get_running_loop().create_future())
        return await answers[-1]

    cached = Cached(view, Cache(), has_credentials=True)
    get, put = (asyncio.create_task(cached.serve(in_process.request("/a", method))) for method in ("GET", "PUT"))
    await asyncio.sleep(0)
    put.cancel()
    await asyncio.wait([put])
    answers[0].set_result(RawResponse(200, [(b"cache-control", b"max-age=60")]))
    await get
    later = asyncio.create_task(cached.serve(in_process.request("/a")))
    await asyncio.sleep(0)
    later.cancel()
    assert len(answers) == 3
