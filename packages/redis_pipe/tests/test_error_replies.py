import pytest

from packages.redis_pipe import Reason, Refused, Unavailable
from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import fate_of, ping

STATES = (
    "loading",
    "readonly",
    "masterdown",
    "oom",
    "clusterdown",
    "tryagain",
    "misconf",
    "busy",
    "noreplicas",
    "epoch",
)


@pytest.mark.parametrize(
    ("code", "reason"), [*((state.upper(), state) for state in STATES), ("NOAUTH", "auth"), ("NOPERM", "auth")]
)
async def test_a_reply_about_the_servers_state_is_unavailable(connect, hostile, code, reason):
    connection = connect(await hostile(always(f"-{code} 'secret-key' is the matter\r\n".encode())))
    with pytest.raises(Unavailable, match="unavailable") as caught:
        await connection.execute("get", "GET", "secret-key")
    assert (caught.value.reason, caught.value.uncertain) == (reason, False)
    assert "secret-key" not in str(caught.value)
    assert connection.connected


@pytest.mark.parametrize(
    ("text", "code"),
    [("ERR unknown command 'x'", "ERR"), ("WRONGTYPE Operation", "WRONGTYPE"), ("secret-key: no", "ERR"), ("", "ERR")],
)
async def test_any_other_error_reply_is_refused(connect, hostile, text, code):
    connection = connect(await hostile(always(f"-{text}\r\n".encode())))
    with pytest.raises(Refused) as caught:
        await connection.execute("get", "GET", "secret-key")
    assert caught.value.code == code
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:{port}", Reason.AUTH),
        ("redis://:wr0ng@127.0.0.1:{port}", Reason.AUTH),
        ("redis://:p%40ss%2Fword%3A1@127.0.0.1:{port}/99", Reason.REJECTED),
    ],
)
async def test_a_wrong_password_or_database_is_reported_at_once_and_not_shown(connect, server, url, reason):
    with pytest.raises(Unavailable) as caught:
        await ping(connect(url.format(port=server.port)))
    assert caught.value.reason is reason
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x01", b"$-5\r\n", b"*-9\r\n"])
async def test_garbage_ends_the_connection(connect, hostile, garbage):
    connection = connect(await hostile(always(garbage)))
    assert await fate_of(connection.execute("get", "GET", "k")) == (Reason.PROTOCOL, True)
    assert not connection.connected


async def test_an_unsolicited_reply_ends_the_connection(connect, hostile):
    store = await hostile(always(b"+one\r\n+two\r\n"))
    connection = connect(store)
    assert await connection.execute("get", "GET", "k") == b"one"
    assert not connection.connected
