"""Our checks of header fields say what gunicorn's own say, of every name and value."""

import importlib.util
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.server import field_parser


def fresh(name: str) -> Any:
    """A gunicorn module that nobody has put our checks into."""
    spec: Any = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORIGINAL = fresh("gunicorn.asgi.parser").PythonProtocol
SCAN = fresh("gunicorn.asgi.protocol")._scan_response_headers

BYTES = st.binary(max_size=30) | st.sampled_from([b"content-length", b"Transfer-Encoding", b"12", b"a\r\nb"])
FIELDS = st.lists(st.tuples(st.from_regex(rb"[a-z-]+", fullmatch=True) | BYTES, st.just(b"1") | BYTES), max_size=5)


def test_every_byte_is_judged_alike() -> None:
    for number in range(256):
        for text in (bytes([number]), b"a" + bytes([number]) + b"b"):
            assert field_parser.is_token(text) == ORIGINAL._is_valid_token(None, text), text
            assert field_parser.has_controls(text) == ORIGINAL._has_invalid_header_chars(None, text), text
    assert field_parser.is_token(b"") == ORIGINAL._is_valid_token(None, b"")


def verdict(scan: Any, fields: list[tuple[bytes, bytes]]) -> Any:
    with suppress(InvalidResponseHeader, InvalidResponseHeaderName):
        return scan(fields)
    return "refused"


@given(FIELDS)
def test_an_answers_fields_are_judged_alike(fields: list[tuple[bytes, bytes]]) -> None:
    assert verdict(field_parser.scan, fields) == verdict(SCAN, fields)


NAMES = st.sampled_from(
    [b"Host", b"a", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X-API-Key", b"A b", b"", b"n\xe9"]
)
VALUES = st.sampled_from([b" 1", b"2", b"\t chunked ", b"", b": :", b"close", b"a\rb", b"a\nb", b"a\0b", b"x" * 50])
ENDS = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\n ", b"", b"\r\n\r\n"])
HEADS = st.lists(st.tuples(NAMES, st.sampled_from([b":"] * 9 + [b"", b" :"]), VALUES, ENDS), max_size=6)


def parsed(kind: Any, pieces: list[bytes]) -> Any:
    """What a parser makes of bytes that arrive in these pieces."""
    parser = kind(limit_request_fields=4, limit_request_field_size=40)
    try:
        for piece in pieces:
            parser.feed(piece)
    except Exception as error:
        return type(error).__name__, str(error), parser._headers_list
    names = (name for name in ORIGINAL.__slots__ if not name.startswith("_on"))
    return {name: getattr(parser, name) for name in names}


@example([(b"Host", b":", b"x" * 35, b"\r\n")], 0)  # with the end of its line 41 bytes
@example([(b"Host", b":", b"x" * 33, b"\r\n")], 0)  # 40
@example([(b"a", b":", b"1", b"\r\n")] * 5, 0)
@example([(b"a", b":", b"1", b"\r\n")] * 2, 24)  # the first field comes by itself
@example([(b"a", b":", b"1", b"\r\n")], 19)  # a part of it comes first
@example([(b"Host", b"", b"2", b"\r\n")], 0)
@example([(b"a", b":", b"\t chunked ", b"\r\n")], 0)
@settings(max_examples=1000)
@given(HEADS, st.integers(0, 120))
def test_a_head_is_parsed_alike(lines: list[tuple[bytes, ...]], cut: int) -> None:
    head = b"GET /x HTTP/1.1\r\n" + b"".join(b"".join(line) for line in lines) + b"\r\n0\r\n\r\n"
    pieces = [head[:cut], head[cut:]]
    assert parsed(field_parser.FieldParser, pieces) == parsed(ORIGINAL, pieces)
