"""CORS_ALLOWED_ORIGINS: off by default; exact origins, their errors readable too; never a wildcard, never cookies."""

from collections.abc import Iterator

import pytest

from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import Issuer, token
from tools.testing.recording import Recording
from tools.testing.service import Service
from tools.testing.wire import Answer, exchange, get

PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def crossing(start: Start, running_issuer: Issuer) -> Iterator[Service]:
    """A gateway that pages of two origins may call."""
    allowed = f"{PAGE}, http://localhost:5173"
    with start(**running_issuer.settings, RATE_LIMIT="100/s", CORS_ALLOWED_ORIGINS=allowed) as running:
        yield running


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("access-control-")}


def preflight(gateway: Service, origin: str) -> Answer:
    fields = [
        f"Origin: {origin}",
        "Access-Control-Request-Method: PUT",
        "Access-Control-Request-Headers: authorization",
    ]
    return exchange(gateway.port, get("/api/users/1", *fields, method="OPTIONS"), "OPTIONS")


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:5173"])
def test_a_listed_page_may_ask_without_a_credential(crossing: Service, upstream: Recording, origin: str) -> None:
    answer = preflight(crossing, origin)
    said = cors(answer)
    assert answer.status == 204
    assert said["access-control-allow-origin"] == origin
    assert "PUT" in said["access-control-allow-methods"]
    assert {"Authorization", "X-API-Key", "If-Match", "Idempotency-Key"} <= set(
        said["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in said
    assert answer.values("vary") == ["Origin"]
    assert upstream.received.empty()


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
def test_no_other_page_is_let_in(crossing: Service, upstream: Recording, origin: str) -> None:
    assert cors(preflight(crossing, origin)) == {}
    assert preflight(crossing, origin).status == 401
    answer = exchange(crossing.port, get("/api/users", f"Origin: {origin}", f"Authorization: Bearer {token()}"))
    assert (answer.status, cors(answer)) == (200, {})
    assert "Origin" in answer.values("vary"), "or a cache would give one page's answer to another"


@pytest.mark.parametrize(("credential", "status"), [(f"Bearer {token()}", 200), ("Bearer wrong", 401)])
def test_a_listed_page_reads_answers_and_refusals(
    crossing: Service, upstream: Recording, credential: str, status: int
) -> None:
    answer = exchange(crossing.port, get("/api/users", f"Origin: {PAGE}", f"Authorization: {credential}"))
    assert answer.status == status
    assert cors(answer)["access-control-allow-origin"] == PAGE
    assert {"ETag", "RateLimit", "X-Request-ID"} <= set(cors(answer)["access-control-expose-headers"].split(", "))


def test_a_page_may_send_and_read_every_field_that_the_schema_names(crossing: Service) -> None:
    document = exchange(crossing.port, get("/api/openapi.json")).json()
    operations = [each for path in ("/api/users", "/api/users/{id}") for each in document["paths"][path].values()]
    sent = {field["name"] for each in operations for field in each["parameters"] if field["in"] == "header"}
    answers = [answer for each in operations for answer in each["responses"].values()]
    read = {name for answer in answers for name in answer.get("headers", {})} - {"Cache-Control", "Content-Type"}
    assert len(sent) > 2
    assert len(read) > 5
    assert sent <= set(cors(preflight(crossing, PAGE))["access-control-allow-headers"].split(", "))
    answer = exchange(crossing.port, get("/api/users", f"Origin: {PAGE}"))
    assert read <= set(cors(answer)["access-control-expose-headers"].split(", "))


def test_by_default_no_page_is_let_in(open_gateway: Service, upstream: Recording) -> None:
    assert cors(preflight(open_gateway, PAGE)) == {}
    answer = exchange(open_gateway.port, get("/api/users", f"Origin: {PAGE}"))
    assert cors(answer) == {}
    assert not answer.values("vary")
