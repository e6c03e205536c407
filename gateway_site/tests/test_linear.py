"""Everything that parses a client's header at the gateway is linear."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from common.http.proxies import Proxies
from gateway_site.forwarding.cache_store import directives
from gateway_site.forwarding.compression import SUFFIX, acceptable
from gateway_site.forwarding.headers import end_to_end
from gateway_site.guard.credentials import token
from gateway_site.guard.limit import client_of
from gateway_site.routes.field_names import FROM_UPSTREAM, one_of
from gateway_site.routes.matching import Matcher
from gateway_site.routes.table import Route
from tests.in_process import request
from tests.linear import assert_linear

ROUTES = Matcher([(Route("/shop", ""), id), (Route("/api/orders", "", "", ("/{id}/items/{item}", "/{id}/a/{b}")), id)])
CROSSING = partial(end_to_end, is_dropped=one_of(FROM_UPSTREAM))
PROXIES = Proxies((ip_network("0.0.0.0/0"),))


def forwarded_for(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value)]


PARSERS: list[tuple[str, Callable[[Any], object], Callable[[int], Any]]] = [
    ("connection", CROSSING, lambda n: [(b"connection", b"close, x-a," * n), (b"x-a", b"1")]),
    ("connection, many lines", CROSSING, lambda n: [(b"connection", b"x-%d" % i) for i in range(n)]),
    ("fields", CROSSING, lambda n: [(b"x-%d" % i, b"1") for i in range(n)]),
    ("client's address", lambda v: PROXIES.client(v, "10.0.0.1"), lambda n: forwarded_for(b"10.0.0.1, " * n)),
    ("client's address, no list", lambda v: PROXIES.client(v, "10.0.0.1"), lambda n: forwarded_for(b"[1." * n)),
    ("chain", lambda v: PROXIES.chain(v, "10.0.0.1"), lambda n: forwarded_for(b"10.0.0.1, ") * n),
    ("authorization", token, lambda n: b"Bearer " + b" " * n + b"x"),
    ("limited client", client_of, lambda n: "1:" * n),
    ("path of a route", ROUTES.find, lambda n: "/shop" + "/a" * n + "/../" + "." * n),
    ("path of a route, declared", ROUTES.find, lambda n: "/api/orders/1" + "/items" * n),
    ("accept-encoding", lambda v: acceptable.__wrapped__(v, ("br", "gzip")), lambda n: b"gzip;q=1.0 ," * n),
    ("cache-control", directives, lambda n: [(b"cache-control", b'a="b, c=' * n)]),
    ("coded etags", lambda v: SUFFIX.sub(b"", v), lambda n: b'"~gzip~br' * n),
    ("accept", lambda v: request(headers=((b"accept", v),)).wants_page, lambda n: b"text/htm,jso," * n),
]


@pytest.mark.parametrize(("parse", "make"), [case[1:] for case in PARSERS], ids=[case[0] for case in PARSERS])
def test_a_parser_is_linear(parse: Callable[[Any], object], make: Callable[[int], Any]) -> None:
    assert_linear(parse, make, 2_000)
