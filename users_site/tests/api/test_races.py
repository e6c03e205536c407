"""Concurrent clients: no interleaving breaks the contract."""

from functools import partial

from tools.processes.store import Store
from users_site.tests.api.client import Users, at_once, fresh_email, problem, statuses
from users_site.tests.integrity import faults


def test_one_of_32_clients_gets_the_email(alone: Users, own_store: Store) -> None:
    email = fresh_email()
    spellings = [email, email.upper(), email.title(), email.swapcase()] * 8
    answers = at_once(*(partial(alone.post, {"name": f"N{i}", "email": text}) for i, text in enumerate(spellings)))
    assert statuses(answers) == [201] + [409] * 31
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "email-taken", "/users")
    assert alone.list().json()["count"] == 1
    with own_store.client() as client:
        assert faults(client) == []


def test_16_patches_of_different_fields_lose_nothing(users: Users) -> None:
    for _ in range(3):
        user, email = users.created(), fresh_email()
        patches = [{"name": "Grace"}, {"role": "admin"}, {"email": email}, {}] * 4
        answers = at_once(*(partial(users.patch, user["id"], patch) for patch in patches))
        assert statuses(answers) == [200] * 16
        final = users.get(user["id"]).json()
        assert (final["name"], final["role"], final["email"]) == ("Grace", "admin", email)


def test_16_counters_with_if_match_count_to_16(users: Users) -> None:
    """Read, add one, write if the version is still the same: an increment that must not be lost."""
    user = users.created(name="0")

    def increment():
        while True:
            read = users.get(user["id"])
            name = str(int(read.json()["name"]) + 1)
            answer = users.patch(user["id"], {"name": name}, if_match=read.headers["ETag"])
            if answer.status_code != 412:
                return answer

    assert statuses(at_once(*[increment] * 16)) == [200] * 16
    assert users.get(user["id"]).json()["name"] == "16"


def test_one_of_the_users_that_move_to_one_email_gets_it(alone: Users, own_store: Store) -> None:
    movers, email = [alone.created() for _ in range(16)], fresh_email()
    answers = at_once(*(partial(alone.put, user["id"], {"name": "Ada", "email": email}) for user in movers))
    assert statuses(answers) == [200] + [409] * 15
    assert alone.list(email=email).json()["count"] == 1
    with own_store.client() as client:
        assert faults(client) == []
    losers = [user for user, answer in zip(movers, answers, strict=True) if answer.status_code == 409]
    assert all(alone.get(user["id"]).json() == user for user in losers)


def test_create_and_move_to_one_email_leave_one_holder(alone: Users, own_store: Store) -> None:
    for _ in range(5):
        user, email = alone.created(), fresh_email()
        answers = at_once(
            *[partial(alone.post, {"name": "New", "email": email})] * 4,
            *[partial(alone.patch, user["id"], {"email": email})] * 4,
        )
        created = [answer.status_code for answer in answers[:4]]
        moved = [answer.status_code for answer in answers[4:]]
        assert (sorted(created), set(moved)) in [([201, 409, 409, 409], {409}), ([409] * 4, {200})]
        assert alone.list(email=email).json()["count"] == 1
    with own_store.client() as client:
        assert faults(client) == []


def test_delete_against_change_leaves_no_half_user(alone: Users, own_store: Store) -> None:
    for _ in range(8):
        user, email = alone.created(), fresh_email()
        answers = at_once(
            partial(alone.delete, user["id"]),
            *[partial(alone.patch, user["id"], {"email": email})] * 3,
            *[partial(alone.put, user["id"], {"name": "Grace", "email": user["email"]})] * 3,
        )
        assert answers[0].status_code == 204
        assert {answer.status_code for answer in answers[1:]} <= {200, 404}
        problem(alone.get(user["id"]), 404, "user-not-found")
        for free in (user["email"], email):
            assert alone.post({"name": "Next", "email": free}).status_code == 201
    with own_store.client() as client:
        assert faults(client) == []
