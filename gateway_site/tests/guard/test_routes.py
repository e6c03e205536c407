"""Each route has its own scopes and limit."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_site.guard.api_keys import LOOK_SECONDS, create
from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import Issuer, token
from tests.recording import Recording
from tests.serving import Served
from tests.wire import exchange, get
from tools.processes.cluster import until
from tools.processes.store import store

TABLE = """
routes:
- {{prefix: /api/orders, upstream: "{url}", rate_limit: 36/h;burst=2}}
- {{prefix: /api/news, upstream: "{url}", scopes: none}}
- {{prefix: /api/stock, upstream: "{url}", scopes: {{GET: "orders:read", "*": "stock:write"}}}}
- {{prefix: /api/moving, upstream: "{url}", scopes: none, maintenance: Back at 14:00 UTC.}}
- {{prefix: /api/parts, upstream: "{url}", rate_limit: {{"parts:write": 36/h;burst=1, "*": 36/h;burst=2}}}}
- {{prefix: /api/closed, upstream: "{url}", maintenance: Back at 15:00 UTC.}}
"""


@pytest.fixture
def table(tmp_path: Path, upstream: Recording) -> str:
    path = tmp_path / "routes.yaml"
    path.write_text(TABLE.format(url=upstream.url))
    return str(path)


@pytest.fixture
def key() -> tuple[str, str]:
    return create("shop", frozenset({"orders:read", "stock:write"}), None)


@pytest.fixture
def gateway(start: Start, table: str, tmp_path: Path, key: tuple[str, str], trusted_issuer: Issuer) -> Iterator[Served]:
    (tmp_path / "keys").write_text(key[1])
    settings = trusted_issuer.settings | {"AUTH": "jwt,apikey", "AUTH_API_KEYS_FILE": str(tmp_path / "keys")}
    with start(ROUTES=table, **settings) as running:
        yield running


def test_a_request_needs_the_scope_of_its_route(gateway: Served, upstream: Recording, key: tuple[str, str]) -> None:
    upstream.default = b"HTTP/1.1 204 No Content\r\n\r\n"
    bearer = f"Authorization: Bearer {token(scope='orders:read stock:write unknown:read')}"
    for credential in (f"X-API-Key: {key[0]}", bearer):
        for method, path, scope in (
            ("GET", "/api/orders", ""),
            ("POST", "/api/orders", "orders:write"),
            ("GET", "/api/stock/7", ""),
            ("DELETE", "/api/stock/7", ""),
            ("HEAD", "/api/users", "users:read"),
            ("OPTIONS", "/api/news", ""),
            ("GET", "/api/users", "users:read"),
        ):
            answer = exchange(gateway.port, get(path, credential, method=method), method)
            assert answer.status == (403 if scope else 204)
            challenge = [f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'] if scope else []
            assert (answer.values("www-authenticate"), method, path) == (challenge, method, path)


@pytest.mark.slow
def test_a_new_scope_counts_for_credentials_that_had_it_before_its_route(
    gateway: Served, table: str, tmp_path: Path, key: tuple[str, str], upstream: Recording
) -> None:
    """A valid token is cached, and a file of keys with a scope of no route is refused."""
    upstream.default = b"HTTP/1.1 204 No Content\r\n\r\n"
    later, line = create("later", frozenset({"wood:read"}), None)
    (tmp_path / "keys").write_text(f"{key[1]}\n{line}")
    bearer = f"Authorization: Bearer {token(scope='orders:read wood:read')}"
    assert exchange(gateway.port, get("/api/orders", bearer)).status == 204
    time.sleep(LOOK_SECONDS)
    assert exchange(gateway.port, get("/api/orders", f"X-API-Key: {later}")).status == 401  # reads the file
    new = tmp_path / "new.yaml"
    new.write_text(TABLE.format(url=upstream.url) + f'- {{prefix: /api/wood, upstream: "{upstream.url}"}}\n')
    new.rename(table)
    for credential in (bearer, f"X-API-Key: {later}"):
        asked = get("/api/wood", credential)
        until(lambda asked=asked: exchange(gateway.port, asked).status == 204)


def test_an_open_route_needs_no_credential(gateway: Served, upstream: Recording, key: tuple[str, str]) -> None:
    assert exchange(gateway.port, get("/api/orders")).status == 401
    for fields in ((), ("X-API-Key: wrong",), (f"X-API-Key: {key[0]}",)):
        assert exchange(gateway.port, get("/api/news/1", *fields)).status == 200
        received = upstream.next()
        assert not received.values(b"x-api-key") + received.values(b"x-authenticated-subject")


@pytest.fixture(params=["local", "shared"])
def limit_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield "local"
    else:
        with store(tmp_path) as running:
            yield running.url


def test_a_route_has_its_own_limit(start: Start, table: str, limit_store: str) -> None:
    with start(ROUTES=table, RATE_LIMIT="100/h", RATE_LIMIT_STORE=limit_store) as gateway:
        answers = [exchange(gateway.port, get("/api/orders")) for _ in range(3)]
        other = exchange(gateway.port, get("/api/news"))
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert "36 requests in 3600 s" in answers[2].json()["detail"]
    assert answers[1].values("ratelimit") == ['"default";r=98;t=72', '"/api/orders";r=0;t=200']
    assert other.values("ratelimit") == ['"default";r=96;t=144'], "all routes count for the limit of the gateway"


def test_a_scope_of_a_route_has_its_own_limit(start: Start, table: str, limit_store: str) -> None:
    methods = ["POST", "GET", "PUT", "GET", "HEAD"]
    with start(ROUTES=table, RATE_LIMIT_STORE=limit_store) as gateway:
        answers = [exchange(gateway.port, get("/api/parts", method=method), method) for method in methods]
        assert exchange(gateway.port, get("/api/news")).values("ratelimit") == []
    assert [answer.status for answer in answers] == [200, 200, 429, 200, 429]
    assert answers[0].values("ratelimit") == ['"/api/parts parts:write";r=0;t=100']
    assert answers[3].values("ratelimit") == ['"/api/parts";r=0;t=200']


def test_a_route_in_maintenance_is_503_behind_its_guard_and_asks_no_upstream(
    gateway: Served, upstream: Recording
) -> None:
    for method in ("GET", "POST"):
        answer = exchange(gateway.port, get("/api/moving/1", method=method))
        assert (answer.status, answer.json()["code"]) == (503, "upstream-unavailable")
        assert (answer.json()["detail"], answer.values("retry-after")) == ("Back at 14:00 UTC.", ["60"])
    assert exchange(gateway.port, get("/api/closed")).status == 401
    assert upstream.received.empty()
    assert exchange(gateway.port, get("/api/news")).status == 200
