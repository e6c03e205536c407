"""Damaged tokens and keys, and other bytes, are refused, never a 500, and never reach the user service."""

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_site.tests.guard.conftest import Keys
from gateway_site.tests.guard.issuer import EC_KEY, Issuer, token
from tests.recording import Recording
from tests.serving import Served
from tests.wire import exchange, get

QUIET = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TOKEN = token(EC_KEY, "ES256", "ec", exp=time.time() + 86_400).encode()  # made when tests are collected
PIECES = st.sampled_from([b".", b"=", b" ", b",", b"Bearer ", b"e30", b"\t", b"\xff", b"null", TOKEN.split(b".")[1]])


@st.composite
def damaged(draw: st.DrawFn, credential: bytes) -> bytes:
    """With up to three bytes or pieces cut out, put in, or put in the place of others."""
    data = bytearray(credential)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 6))] = draw(PIECES | st.binary(max_size=4))
    return bytes(data)


@QUIET
@given(data=st.data())
def test_no_damaged_or_other_credential_passes(
    guarded: Served, upstream: Recording, trusted_issuer: Issuer, keys: Keys, data: st.DataObject
) -> None:
    good = data.draw(st.sampled_from([b"Bearer " + TOKEN, b"Bearer " + keys["writer"][0].encode()]))
    credential = data.draw(damaged(good) | st.binary(max_size=200))
    upstream.reset()
    wire = get("/api/users").replace(b"\r\n\r\n", b"\r\nAuthorization: " + credential + b"\r\n\r\n")
    status = exchange(guarded.port, wire).status
    if status == 200:
        assert says_the_same(credential, good)
    else:
        assert status in {400, 401}
        assert upstream.received.empty()


def says_the_same(credential: bytes, good: bytes) -> bool:
    """The scheme is case-insensitive, blanks around the credential do not count, and a signature may be spelled in several ways
    (the last digit of its Base64 has bits to spare): what it signs may not."""
    scheme, _, value = credential.strip(b" \t").partition(b" ")
    said, value = good.partition(b" ")[2], value.strip()
    signed = said.rpartition(b".")[0]
    return scheme.lower() == b"bearer" and (value == said or (bool(signed) and value.rpartition(b".")[0] == signed))
