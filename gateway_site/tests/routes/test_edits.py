"""Header fields that a route adds, replaces and removes, on sockets."""

import pytest

from gateway_site.tests.routes.scripted import Scripted
from tests.serving import Served
from tests.wire import exchange, get

pytestmark = pytest.mark.slow

TABLE = """
[[routes]]
prefix = "/shop"
upstream = "{upstream}"
request_headers = {{ set = {{ X-Tenant = "acme" }}, add = {{ x-via = "gateway" }}, remove = ["cookie"] }}
answer_headers = {{ set = {{ x-served-by = "shop" }}, add = {{ vary = "x-tenant" }}, remove = ["x-powered-by"] }}

[[routes]]
prefix = "/plain"
upstream = "{upstream}"
"""


def test_a_routes_edits_are_made_and_no_client_can_undo_them(gateway: Served, upstream: Scripted) -> None:
    sent = ["Cookie: a=1", "X-Tenant: forged", "X_Tenant: forged", "X-Via: client", "Connection: x-tenant, x-via"]
    upstream.plan(x_served_by="apache", x_powered_by="php", vary="accept")
    answer = exchange(gateway.port, get("/shop/1", *sent))
    (seen,) = upstream.seen()
    assert {name: seen["fields"].get(name) for name in ("x-tenant", "x_tenant", "x-via", "cookie")} == {
        "x-tenant": "acme",
        "x_tenant": None,
        "x-via": "gateway",
        "cookie": None,
    }
    assert (answer.values("x-served-by"), answer.values("x-powered-by")) == (["shop"], [])
    assert answer.values("vary") == ["accept", "x-tenant"]
    exchange(gateway.port, get("/plain", "Cookie: a=1", "X-Tenant: own"))
    assert {name: upstream.seen()[1]["fields"].get(name) for name in ("x-tenant", "cookie")} == {
        "x-tenant": "own",
        "cookie": "a=1",
    }
