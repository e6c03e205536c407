"""Random bytes, and well-formed requests that were damaged a little, through a real socket."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.tests.hostile.target import Target, statuses
from tests.damaged import damaged
from tests.site import COLLECTION

SEEDS = (
    f"GET {COLLECTION}?limit=2 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: a\r\n\r\n".encode(),
    f"POST {COLLECTION} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: 2\r\n\r\n{}".encode(),
    f"POST {COLLECTION} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX-A: b\r\n\r\n".encode(),
    b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive, X-A\r\nX-A: b\r\n\r\n" * 2,
)
PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"%",
    b"\xff",
)
EXPECTED = {200, 304, 400, 404, 405, 413, 414, 415, 417, 422, 431}
"""Never a 500, and never a 502: the upstream answers every well-formed request."""


QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUIET
@given(data=st.one_of(damaged(SEEDS, PIECES), st.binary(min_size=1, max_size=300)))
def test_whatever_comes_is_answered_with_what_the_contract_has_or_not_at_all(target: Target, data: bytes) -> None:
    target.upstream.reset()
    answers, _ = target.all_answers(data, seconds=0.05)
    assert set(statuses(answers)) <= EXPECTED
    for request in target.forwarded() if answers else []:
        assert request.line.endswith(b" HTTP/1.1")
        assert len(request.values(b"host")) == 1
        assert len(request.values(b"content-length")) + len(request.values(b"transfer-encoding")) <= 1
        assert not {name for name, _ in request.fields if not name.strip() or b" " in name or b"_" in name}
