"""ETag, If-Match and If-None-Match (RFC 9110 §13)."""

import pytest
import requests

from users_site.tests.api.client import UNKNOWN, Users, problem

OTHER = '"0123456789abcdef0123456789abcdef01234567"'
CHANGES = ["put", "patch", "delete"]


def change(users: Users, method: str, user: dict, **headers: str):
    """The user's name becomes Grace, or the user is deleted."""
    if method == "delete":
        return users.delete(user["id"], **headers)
    return getattr(users, method)(user["id"], {"name": "Grace", "email": user["email"]}, **headers)


def etag(users: Users, user: dict) -> str:
    return users.get(user["id"]).headers["ETag"]


def test_if_none_match_with_the_present_version_is_304_without_a_body(users: Users) -> None:
    user = users.created()
    tag = etag(users, user)
    for method, value in (("GET", tag), ("GET", f"{OTHER}, {tag}"), ("HEAD", tag)):
        answer = users.request(method, f"/{user['id']}", headers={"If-None-Match": value})
        assert (answer.status_code, answer.content) == (304, b""), value
        assert answer.headers["ETag"] == tag
        assert "Content-Type" not in answer.headers
        assert "Content-Length" not in answer.headers


def test_connection_continues_after_a_304_and_a_204(users: Users) -> None:
    user = users.created()
    url = f"{users.url}/users/{user['id']}"
    with requests.Session() as session:
        tag = session.get(url, timeout=10).headers["ETag"]
        assert session.get(url, headers={"If-None-Match": tag}, timeout=10).status_code == 304
        assert session.head(url, timeout=10).status_code == 200
        assert session.get(url, timeout=10).json() == user
        assert session.delete(url, timeout=10).status_code == 204
        problem(session.get(url, timeout=10), 404, "user-not-found")


@pytest.mark.parametrize("method", CHANGES)
def test_if_match_with_the_present_version_lets_the_change_through(users: Users, method: str) -> None:
    user = users.created()
    answer = change(users, method, user, if_match=f"{OTHER}, {etag(users, user)}")
    assert answer.status_code == (204 if method == "delete" else 200)


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    ("header", "value"), [("if_match", OTHER), ("if_match", "W/{0}"), ("if_none_match", "{0}"), ("if_none_match", "*")]
)
def test_condition_that_fails_is_412_and_changes_nothing(users: Users, method: str, header: str, value: str) -> None:
    user = users.created()
    answer = change(users, method, user, **{header: value.format(etag(users, user))})
    problem(answer, 412, "precondition-failed", f"/users/{user['id']}")
    assert users.get(user["id"]).json() == user


@pytest.mark.parametrize("method", CHANGES)
def test_if_match_on_an_unknown_user_is_404(users: Users, method: str) -> None:
    problem(change(users, method, {"id": UNKNOWN, "email": "a@example.org"}, if_match="*"), 404, "user-not-found")
