"""Header fields that a route adds, replaces and removes, on sockets."""

import pytest

from gateway_site.tests.routes.conftest import Tables
from gateway_site.tests.routes.scripted import Scripted
from tests.serving import Served
from tests.wire import exchange, get

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


@pytest.mark.slow
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
    assert (answer.values("x-served-by"), answer.values("vary"), answer.values("x-powered-by")) == (
        ["shop"],
        ["accept", "x-tenant"],
        [],
    )
    exchange(gateway.port, get("/plain", "Cookie: a=1", "X-Tenant: own"))
    assert {name: upstream.seen()[1]["fields"].get(name) for name in ("x-tenant", "cookie")} == {
        "x-tenant": "own",
        "cookie": "a=1",
    }


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ('request_headers = { set = { Connection = "x" } }', "fields other than connection, which the gateway"),
        ('request_headers = { add = { X-Forwarded-For = "x" } }', "fields other than x-forwarded-for"),
        ('request_headers = { add = { x-authenticated-subject = "x" } }', "other than x-authenticated-subject"),
        ('request_headers = { set = { authorization = "x" } }', "fields other than authorization"),
        ('request_headers = { remove = ["host"] }', "fields other than host"),
        ('answer_headers = { set = { content-length = "1" } }', "fields other than content-length"),
        ('answer_headers = { remove = ["x-content-type-options"] }', "fields other than x-content-type-options"),
        ('answer_headers = { set = { Access-Control-Allow-Origin = "*" } }', "other than access-control-allow-origin"),
        ('answer_headers = { set = { a_b = "x" } }', "names of letters, digits and hyphens"),
        ('answer_headers = { set = { a = "x\\r\\nb: c" } }', "values of printable ASCII"),
        ('answer_headers = { set = ["a"] }', 'fields like { x-shop = "eu" }'),
        ("answer_headers = { drop = [] }", "a table of remove, set, add like"),
    ],
)  # fmt: skip
def test_edits_that_break_the_gateway_are_refused(tables: Tables, line: str, cure: str) -> None:
    with pytest.raises(ValueError, match=r"routes\.toml line 2: (request|answer)_headers is ") as caught:
        tables.route(line)
    assert cure in str(caught.value)
