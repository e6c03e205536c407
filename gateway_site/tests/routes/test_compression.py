"""Answers coded for clients that accept it, on sockets and with two kinds of upstream."""

import gzip
import json
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.http.response import RawResponse, StreamedResponse
from gateway_site.forwarding.compression import CODERS, Compressed, acceptable
from gateway_site.routes.table import Compression
from gateway_site.tests.routes.conftest import asked
from gateway_site.tests.routes.scripted import Scripted
from tests import in_process
from tests.serving import Served

TABLE = """
[[routes]]
prefix = "/shop"
upstream = "{upstream}"
compress = {{ min_bytes = 1000 }}

[[routes]]
prefix = "/plain"
upstream = "{upstream}"
"""
JSON = {"content_type": "application/json"}
BODY = json.dumps(["a line of text"] * 100)
LONG = random.Random(7).randbytes(200_000).translate(b"abcd" * 64)
DECODED = {"gzip": gzip.decompress, "br": brotli.decompress}


@pytest.mark.slow
@pytest.mark.parametrize("size", [1000, 60_000, 3_000_000], ids=["inline", "thread", "stream"])
@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_body_is_coded_and_its_etag_is_its_own(gateway: Served, upstream: Scripted, coding: str, size: int) -> None:
    body = (BODY * (size // len(BODY) + 1))[:size]
    upstream.plan(body, etag='"x"', accept_ranges="bytes", vary="origin", **JSON)
    coded = asked(gateway, f"Accept-Encoding: {coding}")
    assert DECODED[coding](coded.body).decode() == body
    assert len(coded.body) < size / 5
    assert coded.values("content-encoding") == [coding]
    assert coded.values("etag") == [f'"x~{coding}"']
    assert coded.values("vary") == ["origin", "Accept-Encoding"]
    assert coded.values("accept-ranges") == []
    head = asked(gateway, f"Accept-Encoding: {coding}", method="HEAD")
    for name in ("etag", "content-encoding", "vary", "content-type"):
        assert head.values(name) == coded.values(name)
    assert head.values("content-length") == []
    plain = asked(gateway)
    assert (plain.body.decode(), plain.values("etag")) == (body, ['"x"'])
    assert (plain.values("content-encoding"), plain.values("vary")) == ([], ["origin", "Accept-Encoding"])


@pytest.mark.slow
def test_a_client_that_holds_a_coded_answer_revalidates_it_by_its_etag(gateway: Served, upstream: Scripted) -> None:
    upstream.plan(BODY, etag='"x"', **JSON)
    for held, accepted, answered in (
        ('"x~gzip"', "gzip", '"x~gzip"'),
        ('"y", W/"x~gzip"', "gzip, br", '"x~gzip"'),
        ('"x~br", "x~gzip"', "gzip", '"x~gzip"'),
        ('"x"', "gzip", '"x"'),
    ):
        answer = asked(gateway, f"If-None-Match: {held}", f"Accept-Encoding: {accepted}")
        assert (answer.status, answer.values("etag"), answer.values("vary")) == (304, [answered], ["Accept-Encoding"])
    # Only the coded answer is held, but it is not accepted: another body is needed.
    assert asked(gateway, 'If-None-Match: "x~gzip"').body.decode() == BODY
    assert asked(gateway, 'If-None-Match: "x~gzip"', method="HEAD").status == 200
    upstream.plan(BODY, etag='"x"', **JSON)
    put = asked(gateway, 'If-Match: "x~br", "y~gzip"', "Accept-Encoding: gzip", method="PUT")
    assert upstream.seen()[0]["fields"]["if-match"] == '"x", "y"'
    assert (put.values("content-encoding"), put.values("etag")) == (["gzip"], ['"x"'])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (200, {"content_type": "image/png"}),
        (200, {"content_type": "text/event-stream"}),
        (200, {**JSON, "content_encoding": "zstd"}),
        (200, {**JSON, "cache_control": "max-age=5, no-transform"}),
        (200, {**JSON, "repr_digest": "sha-256=:AAA=:"}),
        (206, {**JSON, "content_range": "bytes 0-1/2"}),
    ],
)
def test_what_must_not_be_coded_crosses_as_it_is(
    gateway: Served, upstream: Scripted, status: int, fields: dict[str, str]
) -> None:
    upstream.plan(BODY, status, etag='"x"', **fields)
    answer = asked(gateway, "Accept-Encoding: gzip, br")
    assert (answer.status, answer.body.decode(), answer.values("etag")) == (status, BODY, ['"x"'])
    assert answer.values("vary") == []


@pytest.mark.slow
def test_small_answers_and_other_routes_are_not_coded(gateway: Served, upstream: Scripted) -> None:
    upstream.plan("x" * 999, **JSON)
    small = asked(gateway, "Accept-Encoding: gzip")
    assert (small.body, small.values("vary")) == (b"x" * 999, ["Accept-Encoding"])
    upstream.plan(BODY, **JSON)
    plain = asked(gateway, "Accept-Encoding: gzip", 'If-None-Match: "x~gzip"', path="/plain")
    assert (plain.body.decode(), plain.values("vary")) == (BODY, [])
    assert upstream.seen()[0]["fields"]["if-none-match"] == '"x~gzip"'
    upstream.plan("", 204, **JSON)
    empty = asked(gateway, "Accept-Encoding: gzip")
    assert (empty.status, empty.values("content-encoding")) == (204, [])
    upstream.plan(BODY, vary="accept-encoding, origin", **JSON)
    assert asked(gateway, "Accept-Encoding: gzip").values("vary") == ["accept-encoding, origin"]


async def test_giving_up_a_coded_stream_gives_up_that_of_the_upstream() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    async def close() -> None:
        pass

    async def view(request: object, identity: object) -> RawResponse:
        return StreamedResponse(200, [(b"content-type", b"text/plain")], pieces(), close)

    asked = in_process.request("/a", headers=((b"accept-encoding", b"gzip"),))
    with ThreadPoolExecutor(1) as threads:
        answer = await Compressed(view, Compression(), threads).serve(asked)
    assert isinstance(answer, StreamedResponse)
    assert (dict(answer.raw_headers)[b"content-encoding"], answer.aclose) == (b"gzip", close)


@pytest.mark.parametrize("coding", CODERS)
@given(cuts=st.sets(st.integers(1, 199_999), max_size=20))
@settings(max_examples=20, deadline=None)
def test_the_bytes_of_a_coded_body_do_not_depend_on_its_pieces(coding: str, cuts: set[int]) -> None:
    """Its ETag is strong."""

    def coded(*ends: int) -> bytes:
        step, finish = CODERS[coding]()
        pieces = (LONG[start:end] for start, end in pairwise((0, *ends, len(LONG))))
        return b"".join(map(step, pieces)) + finish()

    assert coded(*sorted(cuts)) == coded()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"gzip", ("gzip",)),
        (b"gzip, br", ("br", "gzip")),
        (b"gzip;q=0.9, br;q=0.8", ("gzip", "br")),
        (b"GZIP ; Q=1.0", ("gzip",)),
        (b"x-gzip", ("gzip",)),
        (b"*", ("br", "gzip")),
        (b"*;q=0, gzip", ("gzip",)),
        (b"gzip;q=0, *", ("br",)),
        (b"gzip;q=0", ()),
        (b"gzip;q=0.000", ()),
        (b"gzip;q=x", ()),
        (b"identity, gzip;q=0.5", ()),
        (b"identity;q=0.5, gzip;q=0.5", ("gzip",)),
        (b"deflate, zstd", ()),
        (b"", ()),
        (b",;,gzip;;q=1,", ("gzip",)),
    ],
)
def test_the_client_chooses_the_coding(value: bytes, wanted: tuple[str, ...]) -> None:
    assert acceptable(value, ("br", "gzip")) == wanted
