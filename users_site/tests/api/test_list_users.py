"""GET /users."""

from users_site.tests.api.client import ALONE, Users, faulty_fields
from users_site.tests.api.walking import follow


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
