"""`routes`: the table, and what a request would meet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError

from gateway_site.routes import rate
from gateway_site.routes.reading import OwnAddress, table
from gateway_site.tests.management.conftest import called
from tests.programs import manage
from tests.pytest_environment import REQUIRED

ORDERS = """
[upstreams.orders]
url = "http://orders:3002"
[upstreams.next]
url = "http://next:3002"
[[routes]]
prefix = "/api/orders"
upstream = "orders"
rewrite = ""
methods = ["GET", "PUT"]
timeout_ms = 200
max_body_bytes = 5
canary = { upstream = "next", percent = 2.5 }
request_headers = { set = { X-Tenant = "acme" }, remove = ["cookie"] }
compress = {}
"""


@pytest.fixture
def orders(settings: Any, tmp_path: Path) -> Callable[..., None]:
    """Puts a table in force: ORDERS, or another."""

    def put(text: str = ORDERS, **others: Any) -> None:
        path = tmp_path / "routes.toml"
        path.write_text(text)
        settings.ROUTES = table(str(path), "http://user-service:3001", {}, {}, OwnAddress(3000))
        for name, value in others.items():
            setattr(settings, name, value)

    put()
    return put


def test_prints_the_table(orders: Callable[..., None]) -> None:
    orders(AUTH=("apikey",))
    printed, said = called("routes")
    assert said == ""
    assert [" ".join(line.split()) for line in printed.splitlines()[2:]] == [
        "/api/orders orders, 2.5 % next / GET PUT orders:read, orders:write 200 2",
        "/api/orders/{path} orders, 2.5 % next /{path} GET PUT orders:read, orders:write 200 2",
        "/api/users user-service /users all users:read, users:write 5000 2",
        "/api/users/{id} user-service /users/{id} all users:read, users:write 5000 2",
    ]


def test_explains_a_request(orders: Callable[..., None]) -> None:
    orders(AUTH=(), RATE_LIMIT=rate.parse("5/s"))
    assert called("routes", "--explain", "get", "/api/orders/7%20a?x=1")[0].splitlines() == [
        "route:              /api/orders/{path}",
        "upstream:           orders at http://orders:3002",
        "forwarded as:       GET /7%20a?x=1",
        "X-Forwarded-Prefix: /api/orders",
        "scope:              none: AUTH is none",
        "time:               200 ms, 2 retries included",
        "body:               at most 5 bytes",
        "limit:              5 in 1 s, burst 5",
        "canary:             2.5 % to next",
        "request headers:    without cookie, without x-tenant, x-tenant: acme",
        "compress:           br or gzip from 1024 bytes",
    ]


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/api/users/1/2", "no route has /api/users/1/2: the gateway answers it itself, or with 404; "),
        ("GET", "/api/users%2f1", "no route has /api/users%2f1: "),
        ("GET", "/api/%75sers/1", "no route has /api/%75sers/1: "),
        ("POST", "/api/orders", "/api/orders has GET, PUT: the answer is 405"),
        ("CONNECT", "/api/users", "/api/users has all methods but CONNECT: the answer is 405"),
    ],
)
def test_a_request_without_a_route_fails(orders: object, method: str, path: str, line: str) -> None:
    with pytest.raises(CommandError, match="^" + line) as caught:
        called("routes", "--explain", method, path)
    assert caught.value.returncode == 1


def test_a_malformed_table_is_one_line() -> None:
    done = manage("routes", **REQUIRED, ROUTES="/health=http://h")
    assert done.returncode == 1
    assert "ROUTES: route /health: /health would hide /health" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_route_in_maintenance_answers_every_method_alike(orders: Callable[..., None]) -> None:
    orders('[[routes]]\nprefix = "/old"\nupstream = "http://old"\nmethods = ["GET"]\nmaintenance = "Back soon."\n')
    for method in ("GET", "POST", "CONNECT"):
        assert "maintenance:        503: Back soon." in called("routes", "--explain", method, "/old")[0]


def test_a_stream_is_explained_and_its_http_route_has_no_end(orders: Callable[..., None]) -> None:
    orders('[[routes]]\nprefix = "/feed"\nupstream = "http://feed"\nstream = true\nwebsocket = true\n')
    explained, _ = called("routes", "--explain", "GET", "/feed")
    assert "passed on:          streams and WebSockets, with at most 60000 ms of silence" in explained.splitlines()
    printed, said = called("routes", "--http-routes", "public")
    feed = next(yaml.safe_load_all(printed))
    assert feed["spec"]["rules"][0]["timeouts"] == {"request": "0ms"}
    assert "/feed" not in said


def test_prints_http_routes_and_names_what_they_cannot_say(orders: Callable[..., None]) -> None:
    more = '[[routes]]\nprefix = "/shop"\nupstream = "http://shop.web"\npaths = ["", "/cart"]\nrewrite = ""\n'
    more += '[[routes]]\nprefix = "/ext"\nupstream = "http://a.example.com"\n'
    orders(ORDERS.replace("percent = 2.5", 'percent = 2.5, header = "x-canary", cookie = "c"') + more)
    printed, said = called("routes", "--http-routes", "public")
    objects = list(yaml.safe_load_all(printed))
    assert [each["metadata"]["name"] for each in objects] == ["api-orders", "shop", "api-users"]
    get, head, put = [objects[0]["spec"]["rules"][number : number + 3] for number in (0, 3, 6)]
    assert [rule["matches"][0]["method"] for rule in (get[0], head[0], put[0])] == ["GET", "HEAD", "PUT"]
    assert [rule["matches"][0].get("headers", [{}])[0].get("value") for rule in get] == ["always", "never", None]
    assert [[(ref["name"], ref.get("weight")) for ref in rule["backendRefs"]] for rule in get] == [
        [("next", None)],
        [("orders", None)],
        [("orders", 9750), ("next", 250)],
    ]
    assert get[2]["timeouts"] == {"request": "200ms"}
    rewrite, edits = get[2]["filters"]
    assert rewrite["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert edits["requestHeaderModifier"]["set"] == [
        {"name": "x-tenant", "value": "acme"},
        {"name": "x-forwarded-prefix", "value": "/api/orders"},
    ]
    assert "cookie" in edits["requestHeaderModifier"]["remove"]
    exact = [
        (rule["matches"][0]["path"], rule["filters"][0]["urlRewrite"]["path"]) for rule in objects[1]["spec"]["rules"]
    ]
    assert exact == [
        ({"type": "Exact", "value": f"/shop{path}"}, {"type": "ReplaceFullPath", "replaceFullPath": path or "/"})
        for path in ("", "/cart")
    ]
    assert objects[1]["spec"]["rules"][0]["backendRefs"] == [{"name": "shop", "namespace": "web", "port": 80}]
    assert [line.removeprefix("not in the HTTPRoutes: ") for line in said.splitlines()][3:] == [
        "TLS: every listener of public serves the routes, plain HTTP too; public/LISTENER names one",
        "/api/orders: methods: others are 404, not 405",
        "/api/orders: canary by the cookie c",
        "/api/orders: max_body_bytes",
        "/api/orders: compress",
        "/shop: shop.web is in another namespace: add a ReferenceGrant there",
        "/ext: left out, because a.example.com is not a Service: make one of type ExternalName",
        "/api/users: paths '', '/{id}': everything below the prefix is admitted",
    ]


def test_http_routes_name_only_methods_that_they_can(orders: Callable[..., None]) -> None:
    files = '[[routes]]\nprefix = "/files"\nupstream = "http://files"\nmethods = ["PUT", "PROPFIND"]\n'
    orders(files + '[[routes]]\nprefix = "/purge"\nupstream = "http://purge"\nmethods = ["PURGE"]\n')
    printed, said = called("routes", "--http-routes", "public/https")
    first, *others = yaml.safe_load_all(printed)
    assert [rule["matches"][0]["method"] for rule in first["spec"]["rules"]] == ["PUT"]
    assert [each["metadata"]["name"] for each in others] == ["api-users"]
    assert first["spec"]["parentRefs"] == [{"name": "public", "sectionName": "https"}]
    assert "TLS" not in said
    assert "/files: methods: others are 404, not 405, PROPFIND too" in said
    assert "/purge: left out, because no HTTPRoute can name PURGE" in said


@pytest.mark.parametrize("name", ["", "Public", "public/", "public/a/b", "a b"])
def test_http_routes_at_no_gateway_are_wrong_usage(name: str) -> None:
    with pytest.raises(CommandError, match="give the name of a Gateway, or GATEWAY/LISTENER"):
        called("routes", f"--http-routes={name}")


def test_http_routes_take_from_clients_what_services_trust(orders: Callable[..., None]) -> None:
    orders('[[routes]]\nprefix = "/feed"\nupstream = "http://feed"\nrewrite = "/other"\n')
    for each, prefix in zip(
        yaml.safe_load_all(called("routes", "--http-routes", "public")[0]), (None, "/api"), strict=True
    ):
        [edits] = [
            each["requestHeaderModifier"]
            for each in each["spec"]["rules"][0]["filters"]
            if each["type"] == "RequestHeaderModifier"
        ]
        removed = {"x-authenticated-subject", "x-forwarded-host", "x-http-method-override", "x-original-url"}
        assert removed <= {*edits["remove"]}
        assert ("x-forwarded-prefix" in edits["remove"]) == (prefix is None)
        assert edits.get("set") == ([{"name": "x-forwarded-prefix", "value": prefix}] if prefix else None)
