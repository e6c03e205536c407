"""Of X-Forwarded-* only well-formed values reach links; the first element of a list counts."""

import logging

import pytest
from prometheus_client import REGISTRY

from common.http import forwarded
from common.http.forwarded import Origin, read
from common.observability.notices import Notices
from tests.linear import assert_linear

HOSTS = ("api.example.com", "[::1]")


def ignored(field: str) -> float:
    return REGISTRY.get_sample_value("forwarded_fields_ignored_total", {"field": field}) or 0.0


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("proto", b"https", Origin(scheme="https")),
        ("proto", b"HTTPS , http", Origin(scheme="https")),
        ("host", b"api.example.com", Origin(host="api.example.com")),
        ("host", b"api.example.com:8443, inner", Origin(host="api.example.com:8443")),
        ("host", b"[::1]:3000", Origin(host="[::1]:3000")),
        ("prefix", b"/api", Origin(prefix="/api")),
        ("prefix", b"/a/b-c.d~e_f/, /x", Origin(prefix="/a/b-c.d~e_f")),
        ("prefix", b"", Origin()),
        ("prefix", b"/", Origin()),
        ("prefix", b"/".ljust(1024, b"a"), Origin(prefix="/".ljust(1024, "a"))),
    ],
)
def test_a_valid_value_counts(field: str, value: bytes, found: Origin) -> None:
    assert read([(f"x-forwarded-{field}".encode(), value)], HOSTS) == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("proto", b"javascript"),
        ("proto", b"ftp, https"),
        ("host", b"evil.example"),
        ("host", b"api.example.com/path"),
        ("host", b"api.example.com@evil.example"),
        ("host", "äpi.example.com".encode("latin-1")),
        ("prefix", b"//evil.example"),
        ("prefix", b"api"),
        ("prefix", b"/a b"),
        ("prefix", b"/a?b"),
        ("prefix", b"/%2e%2e"),
        ("prefix", b"/\xff"),
        ("prefix", b"/".ljust(1025, b"a")),
        ("host", b"api.example.com:".ljust(301, b"0")),
    ],
)
async def test_any_other_value_is_ignored_counted_and_logged_once(
    field: str, value: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarded, "notices", Notices(logging.getLogger("forwarded")))
    before = ignored(field)
    found = read([(f"x-forwarded-{field}".encode(), value)] * 2, HOSTS)
    assert found == Origin()
    assert ignored(field) == before + 1
    assert [record.__dict__["fields"] for record in caplog.records] == [{"field": f"x-forwarded-{field}"}]


def test_the_first_of_several_lines_counts() -> None:
    assert read([(b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http")], HOSTS).scheme == "https"


@pytest.mark.parametrize("value", [b"/a" * 1000, b"/" * 1000, b"a." * 1000, b"a," * 1000, b"[" * 1000])
def test_reading_is_linear(value: bytes) -> None:
    names = (forwarded.PROTO, forwarded.HOST, forwarded.PREFIX)

    def parse(headers: list[tuple[bytes, bytes]]) -> object:
        forwarded._is_allowed.cache_clear()
        return read(headers, HOSTS)

    assert_linear(parse, lambda size: [(name, value * size) for name in names], 4)
