"""POST /users."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from users_site.tests.api.client import Users, faulty_fields, fresh_email, problem

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").fullmatch


def test_the_answer_is_the_whole_user(users: Users) -> None:
    email = fresh_email()
    answer = users.post({"name": "Ada", "email": email, "role": "admin"})
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    user = answer.json()
    assert list(user) == ["id", "name", "email", "role", "created_at", "updated_at"]
    assert (user["name"], user["email"], user["role"]) == ("Ada", email, "admin")
    assert TIME(user["created_at"])
    assert user["created_at"] == user["updated_at"]
    parsed = uuid.UUID(user["id"])
    assert (str(parsed), parsed.version, parsed.variant) == (user["id"], 7, uuid.RFC_4122)


def test_location_and_etag_are_those_of_the_new_user(users: Users) -> None:
    created = users.post({"name": "Ada", "email": fresh_email()})
    assert created.headers["Location"] == f"/users/{created.json()['id']}"
    read = users.get(created.json()["id"])
    assert read.headers["ETag"] == created.headers["ETag"]
    assert read.content == created.content


def test_location_is_what_a_client_behind_a_proxy_can_follow(users: Users) -> None:
    created = users.post({"name": "Ada", "email": fresh_email()}, x_forwarded_prefix="/api")
    assert created.headers["Location"] == f"/api/users/{created.json()['id']}"


def test_role_defaults_to_user_and_email_is_kept_as_given(users: Users) -> None:
    email = fresh_email().replace("user", "USER").replace("example", "Example")
    user = users.created(email=email)
    assert (user["role"], user["email"]) == ("user", email)


@pytest.mark.parametrize(
    "name", ["😀 Ada 👩‍👩‍👧", "عَادَة", "\u202eright to left", "李小龙", "O'Brien <b>&amp;</b>", "x", "é" * 200]
)
def test_names_of_every_script_are_kept(users: Users, name: str) -> None:
    user = users.created(name=name)
    assert user["name"] == name
    assert users.get(user["id"]).json()["name"] == name


def test_name_is_trimmed(users: Users) -> None:
    assert users.created(name="  Ada \t\n")["name"] == "Ada"
    assert users.created(name=" " + "a" * 200 + " ")["name"] == "a" * 200


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": "a" * 201}, "name", "max_length"),
        ({"name": "a\x00b"}, "name", "control"),
        ({"name": "a\x85b"}, "name", "control"),
        ({"name": None}, "name", "null"),
        ({"name": 1}, "name", "invalid"),
        ({"name": ["a"]}, "name", "invalid"),
        ({"name": {"a": "b"}}, "name", "invalid"),
        ({"email": ""}, "email", "invalid"),
        ({"email": "a@example.org\n"}, "email", "invalid"),
        ({"email": "a@example.org\x00"}, "email", "invalid"),
        ({"email": "aa@" + "b." * 125 + "us"}, "email", "max_length"),
        ({"email": None}, "email", "null"),
        ({"email": 1.5}, "email", "invalid"),
        ({"email": ["a@example.org"]}, "email", "invalid"),
        ({"role": "root"}, "role", "invalid_choice"),
        ({"role": None}, "role", "null"),
        ({"role": 1}, "role", "invalid_choice"),
        ({"role": ["user"]}, "role", "invalid_choice"),
        ({"nick": "ada"}, "nick", "unknown"),
        ({"": "ada"}, "", "unknown"),
        ({"id": "x"}, "id", "read_only"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "created_at", "read_only"),
    ],
)
def test_faulty_field_is_400_by_name(users: Users, fields: dict, field: str, code: str) -> None:
    answer = users.post({"name": "Ada", "email": fresh_email(), **fields})
    assert faulty_fields(answer).get(field) == code


def test_every_faulty_field_is_named_at_once(users: Users) -> None:
    answer = users.post({"name": "", "role": "root", "nick": "a", "age": 3})
    assert faulty_fields(answer) == {
        "name": "blank",
        "email": "required",
        "role": "invalid_choice",
        "nick": "unknown",
        "age": "unknown",
    }


def test_taken_email_is_409_in_any_case(users: Users) -> None:
    email = users.created()["email"]
    for spelling in (email, email.upper(), email.title()):
        problem(users.post({"name": "Eve", "email": spelling}), 409, "email-taken", "/users")


def test_one_of_32_clients_gets_the_email(users: Users) -> None:
    email = fresh_email()
    spellings = [email, email.upper(), email.title(), email.swapcase()] * 8
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda spelling: users.post({"name": "Ada", "email": spelling}), spellings))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 31


def test_field_that_fills_the_body_is_400(users: Users) -> None:
    assert faulty_fields(users.post({"name": "a" * 65_000, "email": fresh_email()})) == {"name": "max_length"}
