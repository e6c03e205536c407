"""The client's address through the doors of docs/how-to/deploying.md: HAProxy as balancer and as proxy, a real gateway."""

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.http.forwarded import FIELDS, PROTO
from common.server.gunicorn import KEEPALIVE_SECONDS
from deploy.tests.conftest import Load
from deploy.tests.programs import program
from gateway_site.management.own_services import own_services
from tests.serving import serving
from tools.processes.cluster import until
from tools.processes.service import free_port, listens

GATEWAY = own_services()[0]
LIMIT, REQUESTS = 5, 12
NAIVE = {"TRUSTED_HOPS": "", "TRUSTED_PROXIES": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8"}
CONFIGURATION = """
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen balancer
    bind 127.0.0.1:{balancer}
    {balancing}
    server proxy 127.0.0.1:{proxy} {sent}
listen proxy
    mode http
    bind 127.0.0.1:{proxy} {accepted}
    option forwardfor
    server gateway 127.0.0.1:{gateway}
"""
PROTOCOL = {"balancing": "mode tcp", "sent": "send-proxy-v2", "accepted": "accept-proxy"}
"""A balancer that passes the address on: by the PROXY protocol, as here, or by preserving it."""
HIDDEN = {"balancing": "mode tcp", "sent": "", "accepted": ""}
CDN = {"balancing": "mode http\n    option forwardfor", "sent": "", "accepted": ""}


@contextmanager
def door(folder: Path, kind: dict[str, str], gateway: int) -> Iterator[int]:
    """A balancer and a proxy before the gateway; yields the balancer's port."""
    port, file = free_port(), folder / "haproxy.cfg"
    file.write_text(CONFIGURATION.format(balancer=port, proxy=free_port(), gateway=gateway, **kind))
    with subprocess.Popen([program("haproxy"), "-db", "-f", str(file)], stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: listens(port) or process.poll() is not None)
            assert process.poll() is None, "haproxy has ended"
            yield port
        finally:
            process.terminate()


def passed(port: int, client: str) -> int:
    """How many requests of a client pass the limit, each with another forged address."""
    statuses = []
    for number in range(REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(client, 0))
        forged = {"X-Forwarded-For": f"198.51.100.{number}, 10.1.2.{number}"}
        connection.request("GET", "/api/users", headers=forged)
        statuses.append(connection.getresponse().status)
        connection.close()
    return REQUESTS - statuses.count(429)


@pytest.mark.parametrize(
    ("kind", "trust", "expected"),
    [
        pytest.param(PROTOCOL, {}, (LIMIT, LIMIT), id="address is passed on"),
        pytest.param(CDN, {"TRUSTED_HOPS": "2"}, (LIMIT, LIMIT), id="CDN: one hop more"),
        pytest.param(HIDDEN, {}, (LIMIT, 0), id="address is hidden: clients share a limit"),
        pytest.param(HIDDEN, NAIVE, (REQUESTS, REQUESTS), id="private networks are trusted: forged addresses count"),
    ],
)
def test_forged_addresses_pass_no_limit_with_the_components_settings(
    load: Load, tmp_path: Path, kind: dict[str, str], trust: dict[str, str], expected: tuple[int, int]
):
    servers = [each for name in ("gateway-api", "ingress") for each in load("prod", (name,)).servers]
    found = {each.environment["TRUSTED_HOPS"] for each in servers if each.service is GATEWAY}
    settings = {"TRUSTED_HOPS": str(*found), "AUTH": "none", "RATE_LIMIT": f"1/h;burst={LIMIT}"} | trust
    settings["USER_SERVICE_URL"] = "http://127.0.0.1:1"  # what passes the limit is 502
    with serving("gateway_site", **settings) as gateway, door(tmp_path, kind, gateway.port) as port:
        assert (passed(port, "127.0.0.2"), passed(port, "127.0.0.3")) == expected


def test_the_gateway_api_route_removes_what_only_a_proxy_may_set(load: Load):
    route = next(each for each in load("prod", ("gateway-api",)).of("HTTPRoute") if each.name == "api-gateway")
    [edits] = [each["requestHeaderModifier"] for rule in route.spec["rules"] for each in rule["filters"]]
    assert {name.lower().encode() for name in edits["remove"]} == {*FIELDS} - {PROTO}, "proxies set the scheme"


def test_envoy_closes_an_idle_connection_before_the_gateway_does(load: Load):
    [policy] = load("prod", ("gateway-api", "gateway-api/envoy-gateway")).of("BackendTrafficPolicy")
    idle = policy.spec["timeout"]["http"]["connectionIdleTimeout"]
    assert int(idle.removesuffix("s")) < KEEPALIVE_SECONDS
