"""Idempotency-Key on POST /users."""

from uuid import uuid4

from users_site.tests.api.client import Users, fresh_email, problem


def fresh() -> tuple[str, dict[str, str]]:
    """A key and a body of its own."""
    return uuid4().hex, {"name": "Ada", "email": fresh_email()}


def is_replay(answer) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def test_same_request_again_is_the_first_answer_again(users: Users) -> None:
    key, body = fresh()
    first, second, third = (users.post(body, idempotency_key=key) for _ in range(3))
    assert [answer.status_code for answer in (first, second, third)] == [201, 201, 201]
    assert first.content == second.content == third.content
    for name in ("Location", "ETag", "Content-Type"):
        assert first.headers[name] == second.headers[name]
    assert [is_replay(answer) for answer in (first, second, third)] == [False, True, True]
    assert users.list(email=body["email"]).json()["count"] == 1


def test_same_key_with_another_body_is_422(users: Users) -> None:
    key, body = fresh()
    first = users.post(body, idempotency_key=key)
    for other in ({"name": "Eve"}, {"role": "admin"}, {"email": "other-key-body@example.org"}):
        problem(users.post({**body, **other}, idempotency_key=key), 422, "idempotency-key-reused", "/users")
    assert users.post(body, idempotency_key=key).content == first.content
    assert users.list(email="other-key-body@example.org").json()["count"] == 0


def test_first_answer_is_replayed_when_it_was_a_conflict(users: Users) -> None:
    holder, key = users.created(), uuid4().hex
    body = {"name": "Eve", "email": holder["email"]}
    first = users.post(body, idempotency_key=key)
    problem(first, 409, "email-taken", "/users")
    assert not is_replay(first)
    users.delete(holder["id"])
    again = users.post(body, idempotency_key=key)
    problem(again, 409, "email-taken", "/users")
    assert is_replay(again)
    assert users.post(body, idempotency_key=uuid4().hex).status_code == 201


def test_refused_body_leaves_the_key_free(users: Users) -> None:
    key, body = fresh()
    assert users.post({**body, "name": ""}, idempotency_key=key).status_code == 400
    answer = users.post(body, idempotency_key=key)
    assert (answer.status_code, is_replay(answer)) == (201, False)


def test_another_key_or_caller_is_another_request(users: Users) -> None:
    key, body = fresh()
    users.post(body, idempotency_key="k" + key)
    problem(users.post(body, idempotency_key="K" + key), 409, "email-taken")
    for caller in ("apikey:a", "apikey:b"):
        answer = users.post(fresh()[1], idempotency_key="k" + key, x_authenticated_subject=caller)
        assert answer.status_code == 201


def test_every_visible_ascii_key_will_do(alone: Users) -> None:
    for key in ("!", "~" * 255, "a:{b}*?[c]", "users:0}"):
        body = fresh()[1]
        assert [is_replay(alone.post(body, idempotency_key=key)) for _ in range(2)] == [False, True]


def test_other_methods_ignore_the_key(users: Users) -> None:
    user, key = users.created(), uuid4().hex
    for name in ("A", "B"):
        assert users.patch(user["id"], {"name": name}, idempotency_key=key).json()["name"] == name
