"""GET and HEAD /users/{id}."""

import pytest

from users_site.tests.api.client import UNKNOWN, Users, problem


def test_user_is_answered_as_created(users: Users) -> None:
    user = users.created()
    answer = users.get(user["id"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == user


def test_id_is_found_in_upper_case_too(users: Users) -> None:
    user = users.created()
    assert users.get(user["id"].upper()).json() == user


def test_unknown_id_is_404(users: Users) -> None:
    problem(users.get(UNKNOWN), 404, "user-not-found", f"/users/{UNKNOWN}")


@pytest.mark.parametrize(
    "text", ["x", "*", "%20", UNKNOWN.replace("-", ""), UNKNOWN + "%0a", "{" + UNKNOWN[1:-1] + "}"]
)
def test_an_id_that_is_not_a_uuid_is_404(users: Users, text: str) -> None:
    body = {"name": "Ada", "email": "a@example.org"}
    for method, options in {"GET": {}, "PUT": {"json": body}, "PATCH": {"json": body}, "DELETE": {}}.items():
        problem(users.request(method, f"/{text}", **options), 404, "user-not-found")


def test_head_has_the_head_of_get_and_no_body(users: Users) -> None:
    user_id = users.created()["id"]
    get, head = users.get(user_id), users.request("HEAD", f"/{user_id}")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


def test_head_of_an_unknown_id_is_404_without_a_body(users: Users) -> None:
    head = users.request("HEAD", f"/{UNKNOWN}")
    assert (head.status_code, head.content) == (404, b"")
    assert head.headers["Content-Type"] == "application/problem+json"
