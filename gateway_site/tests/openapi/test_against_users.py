"""The gateway's schema against the user service's: the same operations, and the gateway's own additions."""

from common.tests.openapi.documents import Operation, operations, written

OWN_STATUSES = {"401", "403", "429", "502", "504"}
OWN_HEADERS = {"RateLimit", "RateLimit-Policy", "WWW-Authenticate"}
BODILESS = {"413"}
"""The gateway refuses a large body for every method, the user service only if it reads one."""

GATEWAY, USERS = operations(written("gateway")), operations(written("users"))


def of_users(found: dict[str, Operation]) -> dict[str, Operation]:
    return {name: operation for name, operation in found.items() if "users" in operation.path}


def test_operations_are_the_same_under_api() -> None:
    there = {name: (operation.method, f"/api{operation.path}") for name, operation in of_users(USERS).items()}
    assert {name: (operation.method, operation.path) for name, operation in of_users(GATEWAY).items()} == there


def test_components_are_the_same() -> None:
    assert written("gateway")["components"]["schemas"] == written("users")["components"]["schemas"]


def test_requests_are_the_same() -> None:
    for name, operation in USERS.items():
        for part in ("parameters", "requestBody"):
            assert GATEWAY[name].definition.get(part) == operation.definition.get(part), (name, part)


def test_statuses_are_the_same_and_the_gateways_own() -> None:
    for name, operation in of_users(USERS).items():
        own = OWN_STATUSES | (BODILESS - operation.responses.keys())
        assert GATEWAY[name].responses.keys() == operation.responses.keys() | own, name


def test_answers_are_the_same_with_the_gateways_own_headers() -> None:
    for name, operation in of_users(USERS).items():
        for status, response in operation.responses.items():
            there, here = response, GATEWAY[name].responses[status]
            assert here["headers"].keys() - there["headers"].keys() <= OWN_HEADERS, (name, status)
            assert here["headers"].items() >= there["headers"].items(), (name, status)
            assert schemas(here) == schemas(there), (name, status)


def schemas(response: dict[str, dict[str, dict[str, object]]]) -> dict[str, object]:
    """The shapes of a response by media type."""
    return {name: content["schema"] for name, content in response.get("content", {}).items()}
