"""GET /users: pages, their cursors while others create and delete, and one user by email."""

from typing import Any

import pytest
import requests

from users_site.tests.api.client import ALONE, SECONDS, UNKNOWN, Users, faulty_fields, fresh_email

BROKEN = ["x", "!!!!", " ", "\x00", "a" * 24, "a" * 3000, UNKNOWN]
Page = dict[str, Any]


def follow(url: str) -> Page:
    """The page at a link."""
    answer = requests.get(url, timeout=SECONDS, allow_redirects=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(page: Page) -> list[str]:
    return [user["id"] for user in page["results"]]


def test_store_without_users_is_an_empty_page(alone: Users) -> None:
    answer = alone.list()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"count": 0, **ALONE, "results": []}


def test_users_are_listed_newest_first(alone: Users) -> None:
    created = [alone.created(name=f"User {number}") for number in range(5)]
    assert alone.list().json() == {"count": 5, **ALONE, "results": created[::-1]}


def test_page_holds_20_users_by_default_and_its_link_keeps_the_limit(alone: Users) -> None:
    for _ in range(21):
        alone.created()
    page = alone.list().json()
    assert (page["count"], len(page["results"])) == (21, 20)
    assert len(follow(page["next"])["results"]) == 1
    links = alone.list(limit=2).json()
    assert len(follow(links["next"])["results"]) == 2


def test_limit_out_of_range_is_400(users: Users) -> None:
    for limit in ("0", "101", "-1", "x", "", "1e1", "9" * 3000, "\u0661" * 4, "1_0", "1.0", " 10", "+10"):
        assert faulty_fields(users.list(limit=limit)).keys() == {"limit"}, limit


def test_other_query_parameters_are_left_alone(users: Users) -> None:
    assert users.list(utm_source="mail", limit="1").status_code == 200


def test_links_are_absolute_urls_that_the_client_can_follow(alone: Users) -> None:
    for _ in range(3):
        alone.created()
    assert alone.list(limit=1).json()["next"].startswith(f"{alone.url}/users?")
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost:8443", "X-Forwarded-Prefix": "/api"}
    page = alone.request("GET", params={"limit": 1}, headers=forwarded).json()
    assert page["next"].startswith("https://localhost:8443/api/users?")


def test_head_has_no_body(users: Users) -> None:
    head = users.request("HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_broken_cursor_is_400(alone: Users) -> None:
    for _ in range(2):
        alone.created()
    cursor = alone.list(limit=1).json()["next_cursor"]
    for broken in (*BROKEN, cursor[:-1], cursor[1:], cursor + "A", cursor + "=", cursor[:5] + "." + cursor[6:]):
        assert faulty_fields(alone.list(cursor=broken)).keys() == {"cursor"}, broken


def test_each_url_has_its_cursor(alone: Users) -> None:
    for _ in range(3):
        alone.created()
    first = alone.list(limit=1).json()
    second = alone.list(limit=1, cursor=first["next_cursor"]).json()
    assert first["next"].endswith(f"/users?cursor={first['next_cursor']}&limit=1")
    assert (first["previous_cursor"], ids(second)) == (None, ids(follow(first["next"])))
    assert ids(alone.list(limit=1, cursor=second["previous_cursor"]).json()) == ids(first)


def test_count_is_left_out_on_request_and_on_the_pages_that_follow(alone: Users) -> None:
    for _ in range(2):
        alone.created()
    page = alone.list(limit=1, count="false").json()
    assert "count" not in page
    assert "count" not in follow(page["next"])
    assert alone.list(count="no").status_code == 400


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
