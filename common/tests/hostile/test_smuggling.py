"""Requests that two hops could read differently: refused, the connection closed, the hidden request never served."""

import pytest

from common.tests.hostile.target import POST, SMUGGLED, Target, statuses
from tests.site import COLLECTION

CHUNKED = b"Transfer-Encoding: chunked\r\n"
HIDDEN = b"0\r\n\r\n" + SMUGGLED


def lengths(*fields: bytes) -> bytes:
    """A head with these fields, then chunks that end at once, then the hidden request."""
    return POST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + HIDDEN


def chunks(body: bytes) -> bytes:
    return POST + CHUNKED + b"\r\n" + body + SMUGGLED


WHOLE = b"Content-Length: %d" % len(HIDDEN)
AMBIGUOUS = {
    "CL then TE": lengths(WHOLE, b"Transfer-Encoding: chunked"),
    "TE then CL": lengths(b"Transfer-Encoding: chunked", WHOLE),
    "CL 0 and TE": lengths(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
    "TE in other case and CL": lengths(WHOLE, b"tRANSFER-eNCODING: CHUNKED"),
    "TE with a tab and CL": lengths(WHOLE, b"Transfer-Encoding:\tchunked"),
    "TE with a vertical tab": lengths(WHOLE, b"Transfer-Encoding: \x0bchunked"),
    "TE with a form feed": lengths(WHOLE, b"Transfer-Encoding: chunked\x0c"),
    "TE with a no-break space": lengths(WHOLE, b"Transfer-Encoding: \xa0chunked"),
    "TE quoted": lengths(WHOLE, b'Transfer-Encoding: "chunked"'),
    "TE and a space before the colon": lengths(WHOLE, b"Transfer-Encoding : chunked"),
    "TE and a tab before the colon": lengths(WHOLE, b"Transfer-Encoding\t: chunked"),
    "TE behind a leading space": lengths(WHOLE, b" Transfer-Encoding: chunked"),
    "TE folded": lengths(WHOLE, b"Transfer-Encoding:\r\n chunked"),
    "TE behind a bare LF": lengths(WHOLE, b"X-A: b\nTransfer-Encoding: chunked"),
    "TE behind a bare CR": lengths(WHOLE, b"X-A: b\rTransfer-Encoding: chunked"),
    "TE behind a NUL": lengths(WHOLE, b"X-A: b\0Transfer-Encoding: chunked"),
    "TE twice": lengths(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "TE chunked, then another": lengths(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
    "TE chunked, chunked": lengths(b"Transfer-Encoding: chunked, chunked"),
    "TE chunked, identity": lengths(b"Transfer-Encoding: chunked, identity"),
    "TE identity and CL": lengths(WHOLE, b"Transfer-Encoding: identity"),
    "TE identity": lengths(b"Transfer-Encoding: identity"),
    "TE xchunked": lengths(b"Transfer-Encoding: xchunked"),
    "TE gzip, chunked": lengths(b"Transfer-Encoding: gzip, chunked"),
    "TE empty and CL": lengths(WHOLE, b"Transfer-Encoding: "),
    "TE in HTTP/1.0": lengths(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "two CLs": lengths(b"Content-Length: 0", WHOLE),
    "two CLs that agree": lengths(WHOLE, WHOLE),
    "a list of CLs": lengths(b"Content-Length: 0, %d" % len(HIDDEN)),
    "CL with a sign": lengths(b"Content-Length: +%d" % len(HIDDEN)),
    "CL negative": lengths(b"Content-Length: -1"),
    "CL in hex": lengths(b"Content-Length: 0x5"),
    "CL with an underscore": lengths(b"Content-Length: 1_0"),
    "CL with a fraction": lengths(b"Content-Length: 5.0"),
    "CL with an exponent": lengths(b"Content-Length: 5e0"),
    "CL in Arabic digits": lengths("Content-Length: ٥".encode()),
    "CL empty": lengths(b"Content-Length: "),
    "CL with a space inside": lengths(b"Content-Length: 5 0"),
    "CL and a space before the colon": lengths(b"Content-Length : 5"),
    "chunk size in 0x": chunks(b"0x2\r\n{}\r\n0\r\n\r\n"),
    "chunk size with a sign": chunks(b"+2\r\n{}\r\n0\r\n\r\n"),
    "chunk size negative": chunks(b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk size with an underscore": chunks(b"0_2\r\n{}\r\n0\r\n\r\n"),
    "chunk size empty": chunks(b"\r\n{}\r\n0\r\n\r\n"),
    "chunk longer than its size": chunks(b"2\r\n{}{}\r\n0\r\n\r\n"),
    "chunk without its end": chunks(b"2\r\n{}0\r\n\r\n"),
    "chunk size ended by LF": chunks(b"2\n{}\r\n0\r\n\r\n"),
    "chunk ended by LF": chunks(b"2\r\n{}\n0\r\n\r\n"),
    "chunk extension with a bare LF": chunks(b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    "last chunk ended by LF": chunks(b"2\r\n{}\r\n0\n\n"),
    "chunk size of more than 64 bits, which may wrap around to 2": chunks(b"10000000000000002\r\n{}\r\n0\r\n\r\n"),
    "CL in a trailer": chunks(b"2\r\n{}\r\n0\r\nContent-Length: 500\r\n\r\n"),
    "TE in a trailer": chunks(b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "a trailer with a bare LF": chunks(b"2\r\n{}\r\n0\r\nX-A: b\nX-B: c\r\n\r\n"),
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_can_be_read_in_two_ways_is_refused_and_ends_the_connection(target: Target, data: bytes) -> None:
    answers, closed = target.all_answers(data)
    assert closed, "what follows on this connection could be anything"
    assert statuses(answers) == [400]
    assert b"application/problem+json" in answers
    assert target.forwarded() == []


PLAIN = {
    "CL in a name with an underscore": b"Content_Length: 1000",
    "TE in a name with an underscore": b"Transfer_Encoding: chunked",
    "TE named by Connection": b"Connection: Transfer-Encoding",
    "CL named by Connection": b"Connection: Content-Length",
}


@pytest.mark.parametrize("field", PLAIN.values(), ids=PLAIN.keys())
def test_what_only_looks_like_framing_frames_nothing(target: Target, field: bytes) -> None:
    """The body has two bytes, and another request follows: both are served separately."""
    body = b"Content-Length: 2\r\n\r\n{}"
    second = f"GET {COLLECTION}?limit=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    answers, closed = target.all_answers(POST + field + b"\r\n" + body + second)
    assert closed
    assert statuses(answers) == [200, 200]
    forwarded = target.forwarded()
    assert [request.line.split(b" ")[0] for request in forwarded] == [b"POST", b"GET"]
    for request in forwarded:
        assert not request.values(b"transfer-encoding")
        assert not {name for name, _ in request.fields if b"_" in name}
        assert request.values(b"content-length") in ([], [b"2"])


def test_trailers_never_cross(target: Target) -> None:
    trailers = b"2\r\n{}\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nX-A: b\r\n\r\n"
    answers, _ = target.all_answers(POST + CHUNKED + b"\r\n" + trailers, seconds=1.0)
    assert statuses(answers) == [200]
    for request in target.forwarded():
        assert request.body == b"{}"
        assert b"6.6.6.6" not in request.head
        assert not request.values(b"x-a")
