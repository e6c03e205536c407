"""The Host header: one of ALLOWED_HOSTS, or a 400 problem; probes answer whatever it is."""

import pytest

from tests.wire import exchange
from tools.processes.service import Service

WRONG = [
    "",
    "example.com",
    "127.0.0.1.example.com",
    "127.0.0.1, example.com",
    "user@127.0.0.1",
    "127.0.0.1:port",
    "[::1",
    "a b",
]
PROBES = ["/health", "/health/live", "/health/ready", "/metrics"]


def head(path: str, *hosts: str, version: str = "1.1") -> bytes:
    return (f"GET {path} HTTP/{version}\r\n" + "".join(f"Host: {host}\r\n" for host in hosts) + "\r\n").encode()


@pytest.mark.parametrize("host", WRONG)
def test_another_host_is_400(site: Service, host: str) -> None:
    request = head("/version", host).replace(b"\r\n\r\n", b"\r\nX-Forwarded-Host: 127.0.0.1\r\n\r\n")
    answer = exchange(site.port, request)
    assert (answer.status, answer.json()["code"], answer.json()["instance"]) == (400, "malformed-request", "/version")
    assert answer.json()["errors"] == []


@pytest.mark.parametrize(("path", "version"), [("/version", "1.0"), *((path, "1.1") for path in ["/version", *PROBES])])
def test_no_host_is_400(site: Service, path: str, version: str) -> None:
    answer = exchange(site.port, head(path, version=version))
    assert (answer.status, answer.json()["code"]) == (400, "malformed-request")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:3000", "LOCALHOST", "localhost.", "localhost:80"])
def test_our_own_host_is_fine(site: Service, host: str) -> None:
    assert exchange(site.port, head("/version", host)).status == 200


@pytest.mark.parametrize("path", PROBES)
def test_probes_answer_whatever_the_host_and_in_http_1_0_without(site: Service, path: str) -> None:
    for request in (head(path, version="1.0"), *(head(path, host) for host in ("", "10.1.2.3:8080", "example.com"))):
        assert exchange(site.port, request).status == 200


def test_another_host_does_not_open_the_door_next_to_a_probe(site: Service) -> None:
    assert exchange(site.port, head("/health/../version", "example.com")).status in {400, 404}
