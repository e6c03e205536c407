"""The end of a connection: nothing of the last answer is lost."""

import asyncio
import gc
import socket
import time
from weakref import ref

import pytest

from common.server import limits
from common.tests.server.conftest import Running, answering, serving

BODY = b"x" * 1_000_000


async def read_until_answered(server: Running, client: socket.socket) -> int:
    """Asks for a large answer and reads as slowly as the server writes, until it has written the last piece; the bytes read."""
    loop, received = asyncio.get_running_loop(), 0
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    await server.until(lambda: bool(server.connections()))
    server.connections()[0].transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    await loop.sock_sendall(client, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    received += len(await loop.sock_recv(client, 1))
    while server.connections()[0].exchange is not None:
        received += len(await loop.sock_recv(client, 4096))
    return received


async def test_a_client_that_pauses_behind_the_last_piece_gets_the_whole_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)
    loop, length = asyncio.get_running_loop(), (b"content-length", b"%d" % len(BODY))
    async with serving(answering(200, length, body=BODY)) as server:
        with socket.socket() as client:
            received = await read_until_answered(server, client)
            await asyncio.sleep(0.5)
            while piece := await loop.sock_recv(client, 65_536):
                received += len(piece)
    assert received > len(BODY)


async def test_a_client_that_never_reads_the_last_piece_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)
    monkeypatch.setattr(limits, "STALLED_SECONDS", 0.5)
    async with serving(answering(200, body=BODY)) as server:
        with socket.socket() as client:
            await read_until_answered(server, client)
            started = time.monotonic()
            await server.until(lambda: not server.connections())
    assert 0.3 < time.monotonic() - started < 2


async def test_a_connection_that_the_client_closes_first_leaves_nothing_in_memory(server: Running) -> None:
    async with server.client() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        await server.until(lambda: bool(server.connections()))
        left = ref(server.connections()[0])
        await client.answer()
    await server.until(lambda: not server.connections())
    gc.collect()
    assert left() is None
