"""DELETE /users/{id}."""

from users_site.tests.api.client import Users, problem


def test_deleted_user_is_gone_and_in_no_list(users: Users) -> None:
    user = users.created()
    answer = users.delete(user["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers  # RFC 9110 §8.6
    problem(users.get(user["id"]), 404, "user-not-found")
    problem(users.delete(user["id"]), 404, "user-not-found", f"/users/{user['id']}")
    assert users.list(email=user["email"]).json()["results"] == []
    assert user not in users.list(limit=100).json()["results"]
