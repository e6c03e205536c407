"""Header fields that only the gateway may set."""

import pytest

from common.tests.hostile.target import Target, statuses
from tests.site import COLLECTION

GET = f"GET {COLLECTION} HTTP/1.1\r\n"
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "6666666",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=gopher",
    "X-Authenticated-Subject": "root",
    "X-Authenticated-Scopes": "users:write",
    "X-Authenticated-Anything": "6.6.6.6",
    "X-Request-Timeout-Ms": "66666666",
    "TE": "evil",
    "Trailer": "evil",
    "Upgrade": "evil",
    "Keep-Alive": "evil",
    "Proxy-Authorization": "Basic evil",
    "Proxy-Connection": "evil",
    "X_Forwarded_For": "6.6.6.6",
    "X-Named": "evil",
}
NAMED = "Expect: 100-continue\r\nConnection: X-Named, X-Request-ID, Host, X-Forwarded-For, Content-Length"
OURS = [
    b"host",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-prefix",
    b"x-forwarded-proto",
    b"x-request-id",
    b"x-request-timeout-ms",
]
# Values that a fresh request ID or port cannot contain by chance.
LIES = (b"6.6.6.6", b"evil", b"gopher", b"6666666", b"root", b"users:write")


@pytest.mark.parametrize("case", [str, str.lower, str.upper], ids=["as written", "lower", "upper"])
def test_forged_fields_are_dropped_and_ours_are_there_once(target: Target, case) -> None:
    fields = "".join(f"{case(name)}: {value}\r\n" for name, value in FORGED.items())
    answers, _ = target.all_answers(f"{GET}Host: 127.0.0.1\r\n{fields}{NAMED}\r\n\r\n".encode(), seconds=1.0)
    assert statuses(answers) == [200]
    [request] = target.forwarded()
    assert not [lie for lie in LIES if lie in request.head]
    assert sorted(name for name, _ in request.fields) == OURS
    assert request.values(b"x-forwarded-for") == [b"127.0.0.1"]
    assert request.values(b"x-forwarded-prefix") == [b"/api"]
