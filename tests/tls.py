"""Fixtures of TLS: a certificate for localhost, and a proxy that ends TLS before a server without it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tests.scripted import Scripted


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Of a server with the certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
async def tls_proxy(tls: ssl.SSLContext) -> AsyncIterator[Callable[[int], Awaitable[int]]]:
    """Starts a proxy to a port; returns its own."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.transport.abort()

    async def serve(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, back_writer), copy(back_reader, writer))

    async def start(port: int) -> int:
        proxies.append(Scripted(partial(serve, port)))
        await proxies[-1].start("localhost", tls=tls)
        return proxies[-1].port

    proxies: list[Scripted] = []
    yield start
    for proxy in proxies:
        await proxy.stop()
