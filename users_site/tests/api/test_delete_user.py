"""DELETE /users/{id}."""

from users_site.tests.api.client import UNKNOWN, Users, problem


def test_deleted_user_is_gone(users: Users) -> None:
    user_id = users.created()["id"]
    answer = users.delete(user_id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers  # RFC 9110 §8.6
    problem(users.get(user_id), 404, "user-not-found")


def test_deleting_again_is_404(users: Users) -> None:
    user_id = users.created()["id"]
    users.delete(user_id)
    problem(users.delete(user_id), 404, "user-not-found", f"/users/{user_id}")


def test_unknown_id_is_404(users: Users) -> None:
    problem(users.delete(UNKNOWN), 404, "user-not-found")


def test_deleted_user_is_in_no_list(users: Users) -> None:
    user = users.created()
    users.delete(user["id"])
    assert users.list(email=user["email"]).json()["results"] == []
    assert user not in users.list(limit=100).json()["results"]
