"""GET /users?email=."""

import pytest

from users_site.tests.api.client import ALONE, Users, faulty_fields, fresh_email


def test_user_is_found_in_any_case(users: Users) -> None:
    email = "Grace." + fresh_email()
    user = users.created(email=email)
    for spelling in (email, email.upper(), email.lower()):
        assert users.list(email=spelling).json() == {"count": 1, **ALONE, "results": [user]}


def test_unknown_email_is_an_empty_page(users: Users) -> None:
    assert users.list(email=fresh_email()).json() == {"count": 0, **ALONE, "results": []}


def test_plus_sign_is_found_when_encoded(users: Users) -> None:
    user = users.created(email="plus+" + fresh_email())
    assert users.list(email=user["email"]).json()["results"] == [user]


@pytest.mark.parametrize("email", ["", "x", "a@b.org\x00", "a" * 250 + "@b.org"])
def test_a_malformed_address_is_400(users: Users, email: str) -> None:
    assert faulty_fields(users.list(email=email)).keys() == {"email"}


def test_email_does_not_go_with_a_cursor(users: Users) -> None:
    assert faulty_fields(users.list(email=fresh_email(), cursor="x")).keys() == {"cursor"}
