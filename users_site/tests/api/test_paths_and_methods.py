"""Paths that lead nowhere, methods that a path does not have."""

import pytest

from users_site.tests.api.client import UNKNOWN, Users, problem
from users_site.tests.api.raw import request, send

NOWHERE = [
    b"/",
    b"/user",
    b"/Users",
    b"/users/",
    b"//users",
    b"/users//",
    b"/users/%2f",
    b"/users/..%2f",
    b"/users/..%2f..%2fetc%2fpasswd",
    b"/users/../users",
    b"/users/./",
    b"/users/a/b",
    b"/users.json",
    b"/users;x=1",
    b"/api/users",
    b"/static/rest_framework/css/default.css",
    b"/users/" + b"a/" * 1500,
]


@pytest.mark.parametrize("path", NOWHERE)
def test_unknown_path_is_404_without_a_redirect(users: Users, path: bytes) -> None:
    answer = send(users.url, request("GET", path))
    assert (answer.status, answer.json["code"]) == (404, "not-found")
    assert "location" not in answer.headers
    assert answer.json["instance"] == path.decode()


@pytest.mark.parametrize("path", [b"/users/%00", b"/users/%ff", b"/users/%", b"/users/%zz", b"/users/" + b"a" * 3000])
def test_strange_id_is_404(users: Users, path: bytes) -> None:
    answer = send(users.url, request("GET", path))
    assert (answer.status, answer.json["code"]) == (404, "user-not-found")
    assert answer.json["instance"] == path.decode()


@pytest.mark.parametrize(
    "path",
    [b"/users/\xff", b"/users/\xc3\xa9", b"users", b"*", b"", b"http://example.com/users", b"/users/" + b"a" * 9000],
)
def test_target_that_is_not_a_path_is_a_4xx_problem(users: Users, path: bytes) -> None:
    answer = send(users.url, request("GET", path))
    assert answer.status in {400, 404, 414}
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "methods", "allowed"),
    [
        ("", ["PUT", "PATCH", "DELETE", "TRACE", "BREW", "PROPFIND"], "GET, HEAD, OPTIONS, POST"),
        (f"/{UNKNOWN}", ["POST", "TRACE", "BREW", "LOCK"], "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ],
)
def test_method_that_a_path_does_not_have_is_405_with_allow(
    users: Users, path: str, methods: list[str], allowed: str
) -> None:
    for method in methods:
        answer = send(users.url, request(method, f"/users{path}".encode()))
        assert (answer.status, answer.json["code"]) == (405, "method-not-allowed"), method
        assert answer.headers["allow"] == allowed


def test_method_in_lower_case_is_another_method(users: Users) -> None:
    """RFC 9110 §9.1: methods are case-sensitive; the server's parser has no such method."""
    user = users.created()
    answer = send(users.url, request("delete", b"/users/" + user["id"].encode()))
    assert answer.status in {400, 405}
    assert users.get(user["id"]).json() == user


def test_options_names_the_methods(users: Users) -> None:
    answer = users.request("OPTIONS")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "Content-Type" not in answer.headers


def test_unread_body_does_not_become_the_next_request(users: Users) -> None:
    user = users.created()
    smuggled = request("DELETE", b"/users/" + user["id"].encode())
    head = {"Content-Length": str(len(smuggled))}
    for path in (b"/nowhere", b"/users/x"):
        answer = send(users.url, request("POST", path, head, smuggled), linger=0.2)
        assert answer.status in {404, 405}
    assert users.get(user["id"]).json() == user


@pytest.mark.parametrize("header", ["X-Request-ID", "If-Match", "If-None-Match", "Accept", "X-Forwarded-Host"])
def test_long_and_strange_header_values_are_never_a_5xx(users: Users, header: str) -> None:
    for value in ("x" * 8000, "é" * 100, '"' * 1000, ",".join(['"a"'] * 1500)):
        answer = send(users.url, request("GET", b"/users?limit=1", {header: value}))
        assert answer.status in {200, 400, 431}


def test_problem_of_a_known_path_names_it_and_the_request_id(users: Users) -> None:
    answer = users.get("x", x_request_id="abc.DEF-1_2", x_forwarded_prefix="/api")
    assert problem(answer, 404, "user-not-found", "/api/users/x")["request_id"] == "abc.DEF-1_2"


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "é", "<x>", '"'])
def test_request_id_that_is_not_valid_is_replaced(users: Users, given: str) -> None:
    answer = users.get("x", x_request_id=given)
    assert problem(answer, 404, "user-not-found")["request_id"] not in {given, ""}
