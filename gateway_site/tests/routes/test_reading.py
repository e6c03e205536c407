"""A table from ROUTES: what it means, and the line that refuses a bad one."""

import tomllib

import pytest
import yaml

from gateway_site.routes.rate import Rate
from gateway_site.routes.table import Canary, Upstream
from gateway_site.tests.routes.conftest import Tables
from tests.in_process import evaluated

TOML = """
scopes = ["orders:refund"]

[upstreams.orders]
url = "http://orders:3002"
health = "/ping"
max_timeouts = 5
failure_rate = 0.3

[upstreams.orders-next]
url = "https://orders-next:3003"

[[routes]]
prefix = "/api/orders"
upstream = "orders"
paths = ["", "/{id}", "/{id}/items"]
methods = ["GET", "POST"]
scopes = { POST = "orders:refund" }
timeout_ms = 250
retries = 0
rate_limit = "10/s;burst=20"
max_body_bytes = 1000
canary = { upstream = "orders-next", percent = 10, header = "X-Canary", cookie = "canary" }
"""
ROUTE = '[[routes]]\nprefix = "/api/orders"\nupstream = "http://orders:3002"\n'


def test_the_user_service_alone_is_one_route(tables: Tables) -> None:
    found = tables.read("")
    (users,) = found.routes
    assert users.templates == ("/api/users", "/api/users/{id}")
    assert (users.upstream, users.rewrite, users.removed, users.retries) == ("user-service", "/users", "/api", 2)
    assert found.upstreams["user-service"] == Upstream("user-service", "http://user-service:3001", "/health/live")
    assert found.scopes == ("users:read", "users:write")


@pytest.mark.parametrize(("text", "suffix"), [(TOML, ".toml"), (yaml.safe_dump(tomllib.loads(TOML)), ".yaml")])
def test_a_file_has_every_field(tables: Tables, text: str, suffix: str) -> None:
    found = tables.read(text, suffix)
    orders, users = found.routes
    assert users == tables.read("").users
    assert found.upstreams["orders"] == Upstream("orders", "http://orders:3002", "/ping", 500, 5, 0.3)
    assert orders.templates == ("/api/orders", "/api/orders/{id}", "/api/orders/{id}/items")
    assert (orders.rewrite, orders.removed, orders.methods) == ("/orders", "/api", ("GET", "POST"))
    assert (orders.timeout_ms, orders.retries, orders.rate_limit) == (250, 0, {"*": Rate(10, 1, 20)})
    assert orders.max_body_bytes == 1000
    assert orders.canary == Canary("orders-next", 10, "x-canary", "canary")
    assert [orders.scope_for(method) for method in ("GET", "POST", "PUT")] == [
        "orders:read",
        "orders:refund",
        "orders:write",
    ]
    assert found.scopes == ("orders:read", "orders:refund", "orders:write", "users:read", "users:write")


def test_a_setting_is_pairs_of_prefix_and_address(tables: Tables) -> None:
    found = tables.read(
        "/api/users=http://10.0.0.1:3001/users,/shop=https://shop.example, /api/v1/a=http://a:1/b/c", users=""
    )
    assert [(r.prefix, r.upstream, r.rewrite, r.removed) for r in found.routes] == [
        ("/api/users", "user-service", "/users", "/api"),
        ("/shop", "shop.example", "", "/shop"),
        ("/api/v1/a", "a", "/b/c", ""),
    ]
    assert found.users.templates == ("/api/users", "/api/users/{id}")
    assert found.routes[1].templates == ("/shop", "/shop/{path}")


def test_routes_share_an_upstream_by_its_address_and_two_addresses_never_share_a_name(tables: Tables) -> None:
    found = tables.read("/a=http://h:1/a,/b=http://h:1/b,/c=http://h:2/c")
    assert [(r.prefix, r.upstream) for r in found.routes[:3]] == [("/a", "h"), ("/b", "h"), ("/c", "h:2")]


def test_open_scopes_need_no_credential_and_a_star_leaves_no_default(tables: Tables) -> None:
    text = '\n[[routes]]\nprefix = "/a"\nupstream = "http://h"\nscopes = "none"\n'
    text += '[[routes]]\nprefix = "/b"\nupstream = "http://h"\nscopes = { GET = "none", "*" = "b:write" }\n'
    a, b, _ = tables.read(text).routes
    found = [a.scope_for("GET"), a.scope_for("PUT"), b.scope_for("GET"), b.scope_for("HEAD"), b.scope_for("PUT")]
    assert found == [None, None, None, None, "b:write"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/api/orders", "/api/orders cannot be read (No such file or directory): mount a TOML or YAML file"),
        ("/api/orders=orders:3002", "'/api/orders=orders:3002': write it like /api/orders=http://order-service:3002/orders"),
        ("/api/orders=ftp://orders/", 'route /api/orders: upstream is "ftp://orders": set it to an address like http://'),
        ("/api/orders/=http://orders", 'route /api/orders/: prefix is "/api/orders/": set it to a path like /api/orders'),
        ("/a/../b=http://orders", 'route /a/../b: prefix is "/a/../b": set it to a path like /api/orders'),
        ("/a=http://h,/a/b=http://i", "route /a/b: /a/b and /a overlap: give one of them another prefix"),
        ("/a/b=http://h,/a=http://i", "route /a: /a and /a/b overlap: give one of them another prefix"),
        ("/a=http://h,/a=http://i", "route /a: /a and /a overlap: give one of them another prefix"),
        ("/a/b/c=http://h,/a/c=http://i,/a=http://j", "route /a: /a and /a/c overlap: give one of them another prefix"),
        (",".join(f"/a{n}=http://h" for n in range(1001)), "there are 1001 routes: list at most 1000"),
        (f"/{'a' * 500}=http://h", "set it to a path like /api/orders"),
        ("/health=http://h", "route /health: /health would hide /health, which the gateway answers itself: use another prefix"),
        ("/metrics/x=http://h", "route /metrics/x: /metrics/x would hide /metrics, which"),
        ("/api=http://h", "route /api: /api would hide /api/docs, which the gateway answers itself"),
        ("/version=http://h", "route /version: /version would hide /version"),
        ("/a=http://localhost:3000", "route /a: http://localhost:3000 is this gateway: a request would go round"),
        ("/a=http://127.0.0.9:3000", "route /a: http://127.0.0.9:3000 is this gateway"),
        ("/a=http://[::ffff:127.0.0.1]:3000", "is this gateway"),
        ("/a=http://api-gateway:3000", "is this gateway"),
        ("/a=https://api.example.com/x", "is this gateway"),
        ("/a=http://127.1:3001", 'upstream is "http://127.1:3001": set it to an address like http://order-service:3002'),
        ("/a=http://2130706433", "set it to an address like"),
        ("/a=http://0x7f000001", "set it to an address like"),
        ("/a=http://a..b", "set it to an address like"),
        ("/a=http://h:", "set it to an address like"),
        ("/a=http://[fe80::1%eth0]", "set it to an address like"),
        ("/a=http://a%2fb", "set it to an address like"),
        ("/a=http://a\\b", "set it to an address like"),
        ("/a=http://user@h", "set it to an address like"),
        ("/a=http://h:1/x\n", "is not TOML: "),
        ('\n[[routes]]\nprefix = "/a"\n', "line 2: the route has no prefix or no upstream: set both"),
        (f"{ROUTE}time_out = 5\n", "line 1: unknown field 'time_out': did you mean timeout_ms?"),
        (f'{ROUTE}\n[[ routes ]]\nprefix = "/b"\nupstream = "b"\n', "line 5: there is no upstream b: add it, or use one of"),
        (f"{ROUTE}retries = true\n", "line 1: retries is true: set it to a whole number from 0 to 5"),
        (f"{ROUTE}timeout_ms = 0\n", "line 1: timeout_ms is 0: set it to a whole number from 1 to 600000"),
        (f'{ROUTE}paths = ["/a/"]\n', 'set it to a path below the prefix like "", "/{id}" or "/*"'),
        (f"{ROUTE}paths = []\n", "set it to paths below the prefix, each once"),
        (f'{ROUTE}methods = ["get"]\n', "set it to a method of HTTP in capital letters"),
        (f'{ROUTE}methods = ["FETCH"]\n', "set it to a method of HTTP in capital letters"),
        (f'{ROUTE}methods = ["CONNECT"]\n', "set it to a method of HTTP in capital letters"),
        (f'{ROUTE}scopes = {{ POTS = "none", "*" = "a" }}\n', "set it to a method of HTTP in capital letters"),
        (f'{ROUTE}methods = "GET"\n', "set it to a list"),
        (f'{ROUTE}scopes = "order:read"\n', "unknown scope order:read: did you mean orders:read? Else add it to scopes"),
        (f'{ROUTE}rate_limit = "fast"\n', "set it to a limit like 100/s or 100/s;burst=200"),
        (f'{ROUTE}rate_limit = {{ "*" = 5 }}\n', 'or limits by scope like { "orders:write" = "10/s", "*" = "100/s" }'),
        (f'{ROUTE}rate_limit = {{ "a:rite" = "1/s" }}\n', "which no request here needs: use orders:read, orders:write or *"),
        (f'{ROUTE}maintenance = ""\n', "set it to a sentence for clients of at most 200 characters"),
        (f'{ROUTE}canary = {{ upstream = "next" }}\n', "set it to a table of upstream, percent, header, cookie"),
        (f'{ROUTE}canary = {{ upstream = "next", percent = 10 }}\n', "line 1: there is no upstream next: add it"),
        (f"{ROUTE}cache = {{ max_bytes = 5 }}\n", "set it to a whole number from 1048576 to"),
        (f'{ROUTE}cache = {{}}\ncanary = {{ upstream = "orders", percent = 5 }}\n', "cache and canary exclude each other"),
        (f'{ROUTE}compress = {{ codings = ["zstd"] }}\n', "set it to br and gzip, or one of them"),
        (f"{ROUTE}compress = {{ min_bytes = 0 }}\n", "set it to a whole number from 1 to"),
        (f"{ROUTE}compress = true\n", "set it to a table of min_bytes, codings, each optional"),
        (f'{ROUTE}request_headers = {{ set = {{ Connection = "x" }} }}\n', "fields other than connection, which the gateway"),
        (f'{ROUTE}request_headers = {{ add = {{ X-Forwarded-For = "x" }} }}\n', "fields other than x-forwarded-for"),
        (f'{ROUTE}request_headers = {{ add = {{ x-authenticated-subject = "x" }} }}\n', "other than x-authenticated-subject"),
        (f'{ROUTE}request_headers = {{ set = {{ authorization = "x" }} }}\n', "fields other than authorization"),
        (f'{ROUTE}request_headers = {{ remove = ["host"] }}\n', "line 1: request_headers is "),
        (f'{ROUTE}answer_headers = {{ set = {{ content-length = "1" }} }}\n', "fields other than content-length"),
        (f'{ROUTE}answer_headers = {{ remove = ["x-content-type-options"] }}\n', "fields other than x-content-type-options"),
        (f'{ROUTE}answer_headers = {{ set = {{ Access-Control-Allow-Origin = "*" }} }}\n', "than access-control-allow-origin"),
        (f'{ROUTE}answer_headers = {{ set = {{ a_b = "x" }} }}\n', "names of letters, digits and hyphens"),
        (f'{ROUTE}answer_headers = {{ set = {{ a = "x\\r\\nb: c" }} }}\n', "values of printable ASCII"),
        (f'{ROUTE}answer_headers = {{ set = ["a"] }}\n', 'fields like { x-shop = "eu" }'),
        (f"{ROUTE}answer_headers = {{ drop = [] }}\n", "a table of remove, set, add like"),
        ('\n[upstreams.orders]\nhealth = "/"\n', 'line 2: health is "/": set it to a path like'),
        ('\n[upstreams.orders]\nmax_timeouts = 3\n', "line 2: upstream orders has no url: set it to an address like"),
        ("\nroute = []\n", "line 1: the file has routes, upstreams and scopes, and nothing else"),
        ("\nroutes = 3\n", "line 1: make routes a list ([[routes]] in TOML), and upstreams a table of names"),
        ('\nscopes = [3]\n', "scopes: set it to a list of scopes"),
        ('\nscopes = "orders:read"\n', "scopes: set it to a list of scopes"),
        ("\n[[routes]\n", "is not TOML: Expected ']]' at the end of an array declaration (at line 2"),
        ("routes:\n  - {prefix: /a, upstream: 'http://h'}\n  - {prefix: /a, upstream: 'http://i'}\n", "line 3: /a and /a"),
        ("upstreams:\n  a: {url: 'http://h'}\n  b: {url: nowhere}\n", 'line 3: url is "nowhere": set it to an address'),
        ("routes:\n  - prefix: [\n", "line 3 is not YAML: "),
        ("- a\n- b\n", "line 1: the file has routes, upstreams and scopes, and nothing else"),
        ("routes: [3]\n", "line 1: 3 is no table: give it fields"),
        ("upstreams:\n  a: {url: 'http://h', tls: {}}\n", "line 2: upstream a has tls, but its url is not https: change"),
        ("upstreams:\n  a: {url: 'https://h', tls: {ca: /nowhere}}\n", "PEM files that belong together (No such file or dir"),
        ("upstreams:\n  a: {url: 'https://h', tls: {cert: /a}}\n", "set it to a table of ca, cert and key; a cert has a key"),
        ("upstreams:\n  a: {name: b, url: 'http://h'}\n", "line 2: unknown field 'name'"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_with_its_place_and_the_cure(tables: Tables, text: str, line: str) -> None:
    is_yaml = text.startswith(("routes:", "upstreams:", "- "))
    said = tables.refused(text, ".yaml" if is_yaml else ".toml")
    assert line in said
    assert "\n" not in said


def test_the_settings_stop_the_start_with_that_line_or_ask_for_the_users(tables: Tables) -> None:
    with pytest.raises(Exception, match=r"^ROUTES: route /health: /health would hide /health, which"):
        evaluated("gateway_site", ROUTES="/health=http://h")
    with pytest.raises(
        Exception, match=r"^ROUTES: no route has the prefix /api/users: add one, or set USER_SERVICE_URL$"
    ):
        evaluated("gateway_site", ROUTES="/a=http://h", USER_SERVICE_URL="")
    with pytest.raises(
        Exception, match=r"^ROUTES: USER_SERVICE_URL: http://localhost:3001 is this container: use the service's"
    ):
        evaluated("gateway_site", USER_SERVICE_URL="http://localhost:3001", LOOPBACK_UPSTREAMS="false")
    found = evaluated("gateway_site", ROUTES="/api/users=http://u:1/users,/slow=http://h", USER_SERVICE_URL="")
    assert found["USER_SERVICE_URL"] == "http://u:1"
