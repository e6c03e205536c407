"""CORS_ALLOWED_ORIGINS: off by default; exact origins, on every answer; never a wildcard, never cookies."""

from collections.abc import Iterator

import pytest

from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import Issuer, token
from tests.recording import Recording
from tests.serving import Served
from tests.wire import Answer, exchange, get

PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def crossing(start: Start, running_issuer: Issuer) -> Iterator[Served]:
    """A gateway that pages of two origins may call."""
    allowed = f"{PAGE}, http://localhost:5173"
    with start(**running_issuer.settings, RATE_LIMIT="100/s", CORS_ALLOWED_ORIGINS=allowed) as running:
        yield running


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("access-control-")}


def preflight(gateway: Served, origin: str) -> Answer:
    asked = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization")
    return exchange(gateway.port, get("/api/users/1", f"Origin: {origin}", *asked, method="OPTIONS"), "OPTIONS")


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:5173"])
def test_a_preflight_of_a_listed_page_needs_no_credential(crossing: Served, upstream: Recording, origin: str) -> None:
    answer = preflight(crossing, origin)
    said = cors(answer)
    assert answer.status == 204
    assert said["access-control-allow-origin"] == origin
    assert "PUT" in said["access-control-allow-methods"]
    assert {"Authorization", "X-API-Key"} <= set(said["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in said
    assert answer.values("vary") == ["Origin"]
    assert upstream.received.empty()


def test_a_preflight_is_refused_where_any_request_is(crossing: Served) -> None:
    fields = (f"Origin: {PAGE}", "Access-Control-Request-Method: PUT")
    request = get("/api/users", *fields, method="OPTIONS").replace(b"Host: 127.0.0.1", b"Host: evil.example")
    assert exchange(crossing.port, request).status == 400


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        f"{PAGE}:8443",
        "null",
        "*",
        PAGE.upper(),
    ],
)
def test_no_other_page_is_allowed(crossing: Served, upstream: Recording, origin: str) -> None:
    refused = preflight(crossing, origin)
    assert (refused.status, cors(refused)) == (401, {})
    answer = exchange(crossing.port, get("/api/users", f"Origin: {origin}", f"Authorization: Bearer {token()}"))
    assert (answer.status, cors(answer)) == (200, {})
    assert "Origin" in answer.values("vary"), "else a cache could serve one page's answer to another"


@pytest.mark.parametrize(("credential", "status"), [(f"Bearer {token()}", 200), ("Bearer wrong", 401)])
def test_a_listed_page_reads_answers_and_refusals(
    crossing: Served, upstream: Recording, credential: str, status: int
) -> None:
    answer = exchange(crossing.port, get("/api/users", f"Origin: {PAGE}", f"Authorization: {credential}"))
    assert answer.status == status
    assert cors(answer)["access-control-allow-origin"] == PAGE
    assert {"ETag", "RateLimit", "X-Request-ID"} <= set(cors(answer)["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/nowhere", "127.0.0.1", 404),
        ("/api/openapi.json", "127.0.0.1", 200),
        ("/health", "127.0.0.1", 200),
        ("/version?x", "127.0.0.1", 200),
        ("/version", "evil.example", 400),
    ],
)
def test_every_answer_of_the_gateway_is_readable(crossing: Served, path: str, host: str, status: int) -> None:
    request = get(path, f"Origin: {PAGE}").replace(b"Host: 127.0.0.1", f"Host: {host}".encode())
    answer = exchange(crossing.port, request)
    assert answer.status == status
    assert cors(answer)["access-control-allow-origin"] == PAGE
    assert "Origin" in answer.values("vary")


def test_a_page_may_send_and_read_every_field_that_the_schema_names(crossing: Served) -> None:
    document = exchange(crossing.port, get("/api/openapi.json")).json()
    operations = [each for path in ("/api/users", "/api/users/{id}") for each in document["paths"][path].values()]
    shared = document["components"]["parameters"]
    fields = [
        shared[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        for each in operations
        for field in each["parameters"]
    ]
    sent = {field["name"] for field in fields if field["in"] == "header"}
    answers = [answer for each in operations for answer in each["responses"].values()]
    read = {name for answer in answers for name in answer.get("headers", {})} - {"Cache-Control", "Content-Type"}
    assert len(sent) > 2
    assert len(read) > 5
    assert sent <= set(cors(preflight(crossing, PAGE))["access-control-allow-headers"].split(", "))
    answer = exchange(crossing.port, get("/api/users", f"Origin: {PAGE}"))
    assert read <= set(cors(answer)["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize(("method", "field"), [("OPTIONS", "X: 1"), ("GET", "Access-Control-Request-Method: PUT")])
def test_only_a_preflight_needs_no_credential(crossing: Served, method: str, field: str) -> None:
    answer = exchange(crossing.port, get("/api/users/1", f"Origin: {PAGE}", field, method=method), method)
    assert answer.status == 401
    assert "access-control-expose-headers" in cors(answer)


@pytest.mark.parametrize(("origin", "shown"), [(PAGE, [PAGE]), ("https://evil.example", [])])
def test_an_upstream_allows_no_page(crossing: Served, upstream: Recording, origin: str, shown: list[str]) -> None:
    fields = b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nAccess-Control-Max-Age: 9"
    upstream.default = b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 0\r\n\r\n" % fields
    answer = exchange(crossing.port, get("/api/users", f"Origin: {origin}", f"Authorization: Bearer {token()}"))
    assert answer.status == 200
    assert answer.values("access-control-allow-origin") == shown
    assert not cors(answer).keys() & {"access-control-allow-credentials", "access-control-max-age"}


def test_by_default_only_the_upstream_allows_a_page(open_gateway: Served, upstream: Recording) -> None:
    assert cors(preflight(open_gateway, PAGE)) == {}
    assert not exchange(open_gateway.port, get("/api/users", f"Origin: {PAGE}")).values("vary")
    upstream.default = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
    answer = exchange(open_gateway.port, get("/api/users", f"Origin: {PAGE}"))
    assert cors(answer) == {"access-control-allow-origin": "*"}
