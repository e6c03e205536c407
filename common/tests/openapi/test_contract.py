"""The schema has every status, code and header of the site's contract."""

from typing import Any

import pytest
from django.conf import settings

from common.http.problem import KINDS
from common.openapi.generate import schema
from common.tests.openapi.documents import Operation, operations

IS_GATEWAY = settings.SITE == "gateway_site"
PREFIX = "/api/users" if IS_GATEWAY else "/users"
OWN = {"unauthenticated", "forbidden", "too-many-requests", "bad-upstream", "upstream-unavailable", "upstream-timeout"}

OPERATIONS = {
    ("get", PREFIX): ("list_users", {"200", "400"}),
    ("post", PREFIX): ("create_user", {"201", "400", "409", "413", "415", "422"}),
    ("get", f"{PREFIX}/{{id}}"): ("get_user", {"200", "304", "404"}),
    ("put", f"{PREFIX}/{{id}}"): ("replace_user", {"200", "400", "404", "409", "412", "413", "415"}),
    ("patch", f"{PREFIX}/{{id}}"): ("update_user", {"200", "400", "404", "409", "412", "413", "415"}),
    ("delete", f"{PREFIX}/{{id}}"): ("delete_user", {"204", "404", "412"}),
}
EVERYWHERE = {"500", "503"} | ({"401", "403", "429", "502", "504"} if IS_GATEWAY else set())


@pytest.fixture(scope="module")
def found() -> dict[str, Operation]:
    return operations(schema())


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_operation_has_its_statuses(found: dict[str, Operation], method: str, path: str) -> None:
    operation_id, statuses = OPERATIONS[method, path]
    operation = found[operation_id]
    assert (operation.method, operation.path) == (method, path)
    assert operation.responses.keys() >= statuses | EVERYWHERE


def test_every_code_of_the_site_has_its_status(found: dict[str, Operation]) -> None:
    told = {
        (int(status), example["value"]["code"])
        for operation in found.values()
        for status, response in operation.responses.items()
        for media_type, content in response.get("content", {}).items()
        if media_type == "application/problem+json"
        for example in content["examples"].values()
    }
    codes = KINDS.keys() - {"not-found"} - (set() if IS_GATEWAY else OWN)  # no operation has an unknown path
    by_parser = {(414, "malformed-request"), (431, "malformed-request")}
    assert told == {(KINDS[code].status, code) for code in codes} | by_parser


def test_codes_are_an_enumeration() -> None:
    components: dict[str, Any] = schema()["components"]["schemas"]
    assert components["Problem"]["properties"]["code"] == {"$ref": "#/components/schemas/ProblemCode"}
    assert components["ProblemCode"]["enum"] == list(KINDS)


def test_answers_have_their_headers(found: dict[str, Operation]) -> None:
    assert found["create_user"].headers("201") >= {"ETag", "Location", "Idempotency-Replayed"}
    for name, status in (("get_user", "200"), ("get_user", "304"), ("replace_user", "200"), ("update_user", "200")):
        assert "ETag" in found[name].headers(status)
    for name in [name for name, operation in found.items() if "users" in operation.path]:
        assert "Retry-After" in found[name].headers("503")
        assert "Allow" in found[name].headers("405")
        if IS_GATEWAY:
            assert found[name].headers("429") >= {"Retry-After", "RateLimit", "RateLimit-Policy"}
            assert "WWW-Authenticate" in found[name].headers("401")
    assert "Retry-After" in found["create_user"].headers("409")


def test_request_id_is_a_parameter_of_every_operation_and_on_every_answer(found: dict[str, Operation]) -> None:
    for operation in found.values():
        assert "X-Request-ID" in operation.parameters("header")
        for status in operation.responses:
            assert operation.responses[status]["headers"]["X-Request-ID"]["required"] is True


def test_requests_have_their_parameters(found: dict[str, Operation]) -> None:
    assert found["list_users"].parameters("query") == {"limit", "cursor", "email", "count"}
    assert "Idempotency-Key" in found["create_user"].parameters("header")
    assert "If-None-Match" in found["get_user"].parameters("header")
    for name in ("replace_user", "update_user", "delete_user"):
        assert "If-Match" in found[name].parameters("header")
