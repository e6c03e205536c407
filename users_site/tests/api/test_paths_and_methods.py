"""Paths that lead nowhere, methods that a path does not have."""

import pytest

from tests.in_process import built, call
from tests.wire import Answer, exchange, get
from tools.processes.service import Service
from users_site.tests.api.client import UNKNOWN, Users

NOWHERE = ["/", "/Users", "/users/", "//users", "/users/%2f", "/users/..%2f..%2fetc%2fpasswd", "/users/../users"]
NOWHERE += ["/users/a/b", "/users.json", "/users;x=1", "/api/users", "/users/" + "a/" * 1500]


def ask(service: Service, path: str, *fields: str, method: str = "GET") -> Answer:
    """The answer to a request that no client library changes on its way."""
    return exchange(service.port, get(path, *fields, method=method), method)


@pytest.mark.parametrize("path", NOWHERE)
def test_unknown_path_is_404_without_a_redirect(users_service: Service, path: str) -> None:
    answer = ask(users_service, path)
    assert (answer.status, answer.json()["code"], answer.json()["instance"]) == (404, "not-found", path)
    assert answer.values("location") == []


@pytest.mark.parametrize("path", ["/users/%00", "/users/%ff", "/users/%", "/users/%zz", "/users/" + "a" * 3000])
def test_strange_id_is_404(users_service: Service, path: str) -> None:
    answer = ask(users_service, path)
    assert (answer.status, answer.json()["code"], answer.json()["instance"]) == (404, "user-not-found", path)


async def test_method_in_lower_case_is_another_method() -> None:
    """RFC 9110 §9.1: methods are case-sensitive."""
    with built("users_site") as application:
        answer = await call(application, f"/users/{UNKNOWN}", "delete")
    assert (answer.status, answer.json()["code"]) == (405, "method-not-allowed")


def test_options_names_the_methods(users: Users) -> None:
    answer = users.request("OPTIONS")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("header", ["X-Request-ID", "If-Match", "If-None-Match", "Accept", "X-Forwarded-Host"])
def test_long_and_strange_header_values_are_never_a_5xx(users_service: Service, header: str) -> None:
    for value in ("x" * 8000, "é" * 100, '"' * 1000, ",".join(['"a"'] * 1500)):
        assert ask(users_service, "/users?limit=1", f"{header}: {value}").status in {200, 400, 431}
