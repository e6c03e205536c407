"""For any bytes the parser raises BadAnswer or nothing, and the result does not depend on the pieces."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packages.http_pool import BadAnswer
from packages.http_pool._parser import AnswerParser
from tests.damaged import damaged

pytestmark = pytest.mark.slow

SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX-A: b\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: a\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
)
PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1 ",
    b"0\r\n\r\n",
)


def parse(pieces: list[bytes], *, is_head: bool) -> tuple[object, ...]:
    """What the parser made of it; after a BadAnswer the connection is closed, so nothing else of it counts."""
    parser = AnswerParser()
    parser.reset(is_head=is_head)
    for piece in pieces:
        try:
            parser.feed(piece)
        except BadAnswer:
            return ("bad",)
        if parser.complete and piece is not pieces[-1]:
            # A connection hands a complete answer over at once; what comes after it closes the connection.
            return ("more than one answer",)
    return (parser.complete, parser.status, tuple(parser.headers), parser.take_body(), parser.keep_alive)


@settings(max_examples=200, deadline=None)
@given(data=st.one_of(damaged(SEEDS, PIECES), st.binary(max_size=200)), is_head=st.booleans())
def test_nothing_but_a_bad_answer_is_raised(data: bytes, is_head: bool) -> None:
    found = parse([data], is_head=is_head)
    if found[0] is True:
        _, status, headers, body, _ = found
        assert isinstance(status, int)
        assert 200 <= status <= 599
        assert not is_head or body == b""
        lengths = [value for name, value in headers if name == b"content-length"]  # type: ignore[attr-defined]
        assert len(lengths) <= 1
        if lengths and not is_head and status != 304:
            assert len(body) == int(lengths[0])  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(data=damaged(SEEDS, PIECES), is_head=st.booleans(), cuts=st.lists(st.integers(1, 120), max_size=5))
def test_the_result_does_not_depend_on_the_pieces(data: bytes, is_head: bool, cuts: list[int]) -> None:
    bounds = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    pieces = [data[start:end] for start, end in pairwise(bounds)]
    whole, cut = parse([data], is_head=is_head), parse(pieces, is_head=is_head)
    if cut == ("more than one answer",):
        assert whole == ("bad",)
    else:
        assert cut == whole


@settings(max_examples=200, deadline=None)
@given(first=damaged(SEEDS, PIECES), second=st.sampled_from(SEEDS[:3]))
def test_remains_of_a_broken_answer_never_meet_the_next_request(first: bytes, second: bytes) -> None:
    """A connection is used again only after a complete answer."""
    parser = AnswerParser()
    parser.reset(is_head=False)
    with contextlib.suppress(BadAnswer):
        parser.feed(first)
        if parser.complete and parser.keep_alive:
            parser.reset(is_head=False)
            parser.feed(second)
            assert parser.complete
            assert parser.status in {200, 204}
