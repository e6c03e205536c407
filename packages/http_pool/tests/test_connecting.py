"""Connecting: addresses, names, time-outs, trust."""

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from packages.http_pool import ConnectFailed, ConnectTimeout
from packages.http_pool._origin import Origin
from tools.processes.service import free_port

from .hostile import Peer, always, ask, fate_of, forever, get, once, read

pytest_plugins = ["tests.tls"]


async def test_refused_is_connect_failed_and_nothing_was_sent(client):
    upstream = client(f"http://127.0.0.1:{free_port()}")
    assert await fate_of(ask(upstream, "POST", body=b"x")) == (ConnectFailed, False)
    assert upstream.stats == (0, 0, 0)


@pytest.mark.parametrize("name", ["no-such-host", "a" * 64])
async def test_unknown_or_impossible_name_is_connect_failed(client, name):
    with pytest.raises(ConnectFailed):
        await get(client(f"http://{name}.invalid"))


async def test_at_most_64_addresses_of_a_name_are_used(resolver):
    resolver(*(f"127.0.1.{number}" for number in range(70)))
    assert len(await Origin("http://users:1").resolve(1.0)) == 64


async def test_name_without_an_address_is_connect_failed(client, resolver):
    resolver()
    with pytest.raises(ConnectFailed, match="no address"):
        await get(client("http://users:1"))


async def test_a_look_up_that_fails_after_its_request_has_left_is_no_error(client, monkeypatch):
    unseen: list[dict] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unseen.append(context))

    async def fails_late(*_: object, **__: object) -> None:
        await asyncio.sleep(0.1)
        raise OSError("no answer")

    monkeypatch.setattr(loop, "getaddrinfo", fails_late)
    upstream = client("http://users:1")
    for _ in range(2):  # the second look-up replaces the first
        with pytest.raises(ConnectTimeout):
            await get(upstream, timeout=0.01)
        await asyncio.sleep(0.2)
    gc.collect()
    assert unseen == []


@pytest.fixture
def black_hole():
    """An address where connections are neither accepted nor refused: a full backlog."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
            fillers.append(filler)
        yield sock.getsockname()
        for filler in fillers:
            filler.close()


async def test_no_connection_in_time_is_connect_timeout(client, black_hole):
    upstream = client(f"http://127.0.0.1:{black_hole[1]}", connect_timeout=0.2)
    assert await fate_of(get(upstream)) == (ConnectTimeout, False)
    assert upstream.stats == (0, 0, 0)


async def test_requests_deadline_bounds_connecting_too(client, black_hole):
    upstream = client(f"http://127.0.0.1:{black_hole[1]}", connect_timeout=60)
    with pytest.raises(ConnectTimeout):
        await asyncio.wait_for(get(upstream, timeout=0.2), 10)


async def test_cancelled_while_connecting_frees_the_slot(client, black_hole):
    upstream = client(f"http://127.0.0.1:{black_hole[1]}", connect_timeout=60)
    task = asyncio.create_task(get(upstream))
    await asyncio.sleep(0.1)
    assert upstream.stats == (1, 0, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.stats == (0, 0, 0)


async def test_ipv6(hostile, client):
    server = await hostile(forever(), host="::1")
    assert (await get(client(server))).body == b"ok"
    assert server.seen[0].values(b"host") == [server.url.removeprefix("http://").encode()]


@pytest.mark.slow
async def test_address_that_swallows_packets_gives_way_to_the_next(hostile, client, resolver, black_hole):
    """Same port on two addresses: a black hole on 127.0.0.1, the server on 127.0.0.2."""
    resolver("127.0.0.1", "127.0.0.2")
    server = await hostile(forever(), host="127.0.0.2", port=black_hole[1], name="users")
    for _ in range(4):
        assert (await get(client(server, connect_timeout=1.0))).body == b"ok"


# ---- TLS


def trusting(cert: Path) -> Callable[[], ssl.SSLContext]:
    context = ssl.create_default_context(cafile=cert)
    return lambda: context


async def test_tls_with_a_given_ca(hostile, client, certificate, tls):
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    server = await hostile(forever(large), name="localhost", tls=tls)
    upstream = client(server, tls=trusting(certificate[0]))
    for _ in range(2):
        answer = await ask(upstream, "PUT", body=b"y" * 200_000, timeout=30)
        assert await read(answer) == b"x" * 1_000_000
    assert server.opened == 1
    assert server.seen[0].body == b"y" * 200_000


async def test_tls_with_the_systems_store(hostile, client, certificate, tls, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = await hostile(forever(), name="localhost", tls=tls)
    assert (await get(client(server))).body == b"ok"


async def test_unknown_certificate_is_connect_failed(hostile, client, tls):
    server = await hostile(forever(), name="localhost", tls=tls)
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
        await get(client(server))
    assert server.seen == []


async def test_certificate_of_another_host_is_connect_failed(hostile, client, certificate, tls):
    server = await hostile(forever(), tls=tls)  # https://127.0.0.1
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
        await get(client(server, tls=trusting(certificate[0])))
    assert server.seen == []


async def test_plain_server_under_https_is_connect_failed(hostile, client):
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await hostile(plain)
    with pytest.raises(ConnectFailed):
        await get(client(server.url.replace("http", "https")))


async def test_handshake_that_never_comes_is_connect_timeout(hostile, client):
    server = await hostile(once())
    with pytest.raises(ConnectTimeout):
        await get(client(server.url.replace("http", "https"), connect_timeout=0.3))


async def test_tls_connection_closed_while_idle_is_noticed(hostile, client, certificate, tls):
    server = await hostile(always(b"HTTP/1.1 204 No Content\r\n\r\n"), name="localhost", tls=tls)
    upstream = client(server, tls=trusting(certificate[0]))
    for _ in range(2):
        assert (await get(upstream)).status == 204
