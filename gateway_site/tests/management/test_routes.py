"""`routes`: the table, and what a request would meet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Shell = Callable[..., Any]

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
def orders(tmp_path: Path) -> str:
    path = tmp_path / "routes.toml"
    path.write_text(ORDERS)
    return str(path)


def test_prints_the_table(shell: Shell, orders: str) -> None:
    done = shell("routes", ROUTES=orders, AUTH="apikey", AUTH_API_KEYS_FILE="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[2:]] == [
        "/api/orders orders, 2.5 % next / GET PUT orders:read, orders:write 200 2",
        "/api/orders/{path} orders, 2.5 % next /{path} GET PUT orders:read, orders:write 200 2",
        "/api/users user-service /users all users:read, users:write 5000 2",
        "/api/users/{id} user-service /users/{id} all users:read, users:write 5000 2",
    ]


def test_explains_a_request(shell: Shell, orders: str) -> None:
    done = shell("routes", "--explain", "get", "/api/orders/7%20a?x=1", ROUTES=orders, RATE_LIMIT="5/s")
    assert done.stdout.splitlines() == [
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
    ("request_", "line"),
    [
        (("GET", "/api/users/1/2"), "error: no route has /api/users/1/2: the gateway answers it itself, or with 404; "),
        (("GET", "/api/users%2f1"), "error: no route has /api/users%2f1: "),
        (("GET", "/api/%75sers/1"), "error: no route has /api/%75sers/1: "),
        (("POST", "/api/orders"), "error: /api/orders has GET, PUT: the answer is 405"),
    ],
)
def test_a_request_without_a_route_exits_1(shell: Shell, orders: str, request_: tuple[str, str], line: str) -> None:
    done = shell("routes", "--explain", *request_, ROUTES=orders)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


def test_a_malformed_table_is_one_line(shell: Shell) -> None:
    done = shell("routes", ROUTES="/health=http://h")
    assert done.returncode == 1
    assert "ROUTES: route /health: /health would hide /health" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_stream_is_explained_and_its_http_route_has_no_end(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text("routes:\n- {prefix: /feed, upstream: 'http://feed', stream: true, websocket: true}\n")
    done = shell("routes", "--explain", "GET", "/feed", ROUTES=str(path))
    assert "passed on:          streams and WebSockets, with at most 60000 ms of silence" in done.stdout.splitlines()
    done = shell("routes", "--http-routes", "public", ROUTES=str(path))
    (feed,) = yaml.safe_load_all(done.stdout)
    assert feed["spec"]["rules"][0]["timeouts"] == {"request": "0ms"}
    assert "/feed" not in done.stderr


def test_prints_http_routes_and_names_what_they_cannot_say(shell: Shell, orders: str) -> None:
    more = '[[routes]]\nprefix = "/shop"\nupstream = "http://shop.web"\npaths = ["", "/cart"]\nrewrite = ""\n'
    more += '[[routes]]\nprefix = "/ext"\nupstream = "http://a.example.com"\n'
    Path(orders).write_text(ORDERS.replace("percent = 2.5", 'percent = 2.5, header = "x-canary", cookie = "c"') + more)
    done = shell("routes", "--http-routes", "public", ROUTES=orders, USER_SERVICE_URL="http://user-service:3001")
    objects = list(yaml.safe_load_all(done.stdout))
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
    assert edits["requestHeaderModifier"] == {"set": [{"name": "x-tenant", "value": "acme"}], "remove": ["cookie"]}
    exact = [
        (rule["matches"][0]["path"], rule["filters"][0]["urlRewrite"]["path"]) for rule in objects[1]["spec"]["rules"]
    ]
    assert exact == [
        ({"type": "Exact", "value": f"/shop{path}"}, {"type": "ReplaceFullPath", "replaceFullPath": path or "/"})
        for path in ("", "/cart")
    ]
    assert objects[1]["spec"]["rules"][0]["backendRefs"] == [{"name": "shop", "namespace": "web", "port": 80}]
    assert [line.removeprefix("not in the HTTPRoutes: ") for line in done.stderr.splitlines()][1:] == [
        "/api/orders: canary by the cookie c",
        "/api/orders: max_body_bytes",
        "/api/orders: compress",
        "/shop: shop.web is in another namespace: add a ReferenceGrant there",
        "/ext: left out, because a.example.com is not a Service: make one of type ExternalName",
        "/api/users: paths '', '/{id}': everything below the prefix is admitted",
    ]
