"""Our checks of header fields say what gunicorn's own say, of every name and value."""

import importlib.util
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from hypothesis import given
from hypothesis import strategies as st

from common import field_parser


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
