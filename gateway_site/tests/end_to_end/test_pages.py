"""Pages: links, and changes between two pages."""

from gateway_site.tests.end_to_end.client import Client

PAGES = 50
"""At most: there may be other users, but the newest come first."""


def walk(client: Client, limit: int, until: set[str], *, leaving: list[str] | None = None) -> list[str]:
    """Walks page by page until all of these were seen; before each further page one user is deleted and another created."""
    seen: list[str] = []
    url = f"/api/users?limit={limit}"
    for _ in range(PAGES):
        page = client.ask("GET", url).json()
        seen += [user["id"] for user in page["results"]]
        url = page["next"]
        if until <= set(seen) or not url:
            break
        if leaving:
            assert client.ask("DELETE", f"/api/users/{leaving.pop()}").status_code == 204
            client.create()
    return seen


def test_links_lead_through_the_gateway_and_back(client: Client) -> None:
    created = [client.create()["id"] for _ in range(5)]
    first = client.ask("GET", "/api/users?limit=2").json()
    assert first["previous"] is None
    assert first["next"].startswith(f"{client.url}/api/users?")
    second = client.ask("GET", first["next"]).json()
    assert second["previous"].startswith(f"{client.url}/api/users?")
    assert client.ask("GET", second["previous"]).json()["results"] == first["results"]
    seen = walk(client, 2, set(created))
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in created] == created[::-1], "newest first"


def test_no_user_repeats_or_vanishes_between_two_pages(client: Client) -> None:
    created = [client.create()["id"] for _ in range(12)]
    leaving, staying = created[2:6], {*created[:2], *created[6:]}
    seen = walk(client, 3, staying, leaving=leaving)
    assert len(seen) == len(set(seen))
    assert staying <= set(seen)
    assert len(leaving) < 4, "no user was deleted meanwhile"
