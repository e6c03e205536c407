"""What our connection does in gunicorn's place comes out as gunicorn's own does."""

import math
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol
from hypothesis import given
from hypothesis import strategies as st

from common.server.protocol import Protocol

ANSWERED = st.lists(
    st.tuples(
        st.sampled_from([b"date", b"server", b"connection", b"etag", b"ratelimit"]),
        st.sampled_from([b"1", b"", b"a b", b"server: x", b"date: "]),
    ),
    max_size=5,
)


@given(ANSWERED, st.sampled_from([(1, 0), (1, 1)]), st.sampled_from([200, 404, 599]), st.booleans())
def test_an_answers_head_is_written_alike(
    fields: list[tuple[bytes, bytes]], version: tuple[int, int], status: int, is_last: bool
) -> None:
    ours: Any = SimpleNamespace()
    theirs: Any = SimpleNamespace()
    arguments = status, fields, SimpleNamespace(version=version), is_last
    with patch.multiple(protocol, _cached_date_time=math.inf, _cached_date_header=b"Date: now\r\n"):
        Protocol._send_response_start(ours, *arguments)
        ASGIProtocol._send_response_start(theirs, *arguments)
    assert ours == theirs
