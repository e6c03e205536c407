"""`routes`: the table, and what a request would meet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
