"""The browsable API of this site alone; through the gateway, and as it comes: gateway_site/tests/test_browsable.py."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.serving import serving
from tools.processes.store import Store
from users_site.tests.api.client import JSON, Users, fresh_email

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
HTML = "text/html; charset=utf-8"


@pytest.fixture(scope="module")
def dev(shared_store: Store) -> Iterator[Users]:
    """The service with DEBUG=true."""
    with serving("users_site", REDIS_URL=shared_store.url, DEBUG="true") as running:
        yield Users(running.url)


def page(answer: requests.Response, status: int = 200) -> str:
    """The text of an answer that is a page."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, HTML), answer.text
    return answer.text


def browse(users: Users, method: str, path: str = "", **options: Any) -> requests.Response:
    headers = {**BROWSER, **options.pop("headers", {})}
    return users.request(method, path, headers=headers, **options)


def test_list_is_a_page_with_its_users_paging_and_a_form_for_a_new_one(dev: Users) -> None:
    user = [dev.created() for _ in range(2)][1]
    text = page(browse(dev, "GET", "?limit=1"))
    assert user["id"] in text
    assert re.search(r'<a[^>]+href="[^"]*cursor=[^"]+"', text)
    assert re.search(r'<form[^>]+action="/users[^"]*"[^>]+method="POST"', text)
    assert "application/json" in text
    assert "?format=" not in text  # which the service would ignore
    assert "<title>Users – user-service</title>" in text


def test_user_is_a_page_with_forms_to_change_and_delete_it(dev: Users) -> None:
    user = dev.created(name="Ada <b>&")
    text = page(browse(dev, "GET", f"/{user['id']}"))
    assert user["email"] in text
    assert "<title>User – user-service</title>" in text
    assert "Ada &lt;b&gt;&amp;" in text
    assert "<b>&" not in text.replace("<b>PUT", "").replace("<b>GET", "")
    for method in ("PUT", "PATCH", "DELETE"):
        assert f'data-method="{method}"' in text or f'value="{method}"' in text, method


def test_forms_of_its_own_pages_create_change_and_delete(dev: Users) -> None:
    """In a browser: gateway_site/tests/browser."""
    headers, email = {"Origin": dev.url}, fresh_email()
    assert email in page(browse(dev, "POST", data={"name": "Ada", "email": email}, headers=headers), 201)
    (user,) = dev.list(email=email).json()["results"]
    raw = {"_method": "PATCH", "_content_type": "application/json", "_content": '{"name": "Grace"}'}
    assert "Grace" in page(browse(dev, "POST", f"/{user['id']}", data=raw, headers=headers))
    gone = browse(dev, "POST", f"/{user['id']}", data={"_method": "DELETE"}, headers=headers)
    assert (gone.status_code, gone.headers["Location"]) == (303, "/users")
    assert dev.get(user["id"]).status_code == 404
    many = browse(dev, "POST", data={f"field-{number}": "" for number in range(21)}, headers=headers)
    assert "at most 20 fields" in page(many, 400)
    for origin in ("http://evil.example", "null", None):
        eve = {"name": "Eve", "email": fresh_email()}
        assert browse(dev, "POST", data=eve, headers={"Origin": origin}).status_code == 400


def test_problem_is_a_page_with_its_status(dev: Users) -> None:
    assert "validation-error" in page(browse(dev, "GET", "?limit=0"), 400)
    assert "method-not-allowed" in page(browse(dev, "PUT"), 405)
    assert "unsupported-media-type" in page(browse(dev, "POST", data=b"x", headers={"Content-Type": "text/plain"}), 415)
    for bad in (b"{", b"[]", b'{"name":1}', b""):
        assert "400" in page(browse(dev, "POST", data=bad, headers=JSON), 400)
    body = {"name": "Eve", "email": dev.created()["email"]}
    assert "email-taken" in page(browse(dev, "POST", json=body), 409)
    assert "not-found" in page(requests.get(f"{dev.url}/nowhere", headers=BROWSER, timeout=10), 404)


def test_options_head_and_an_unchanged_user_are_served(dev: Users) -> None:
    user = f"/{dev.created()['id']}"
    for path in ("", user):
        assert browse(dev, "OPTIONS", path).status_code in {200, 204}
    head = browse(dev, "HEAD", user)
    assert (head.status_code, head.content) == (200, b"")
    answer = browse(dev, "GET", user, headers={"If-None-Match": head.headers["ETag"]})
    assert (answer.status_code, answer.content) == (304, b"")


def test_programs_get_json_in_dev(dev: Users) -> None:
    user = dev.created()
    for accept in (
        "application/json",
        "*/*",
        "",
        "text/html;q=0.1,application/json",
        "text/html;q=0",
        "text/html;q=0, */*",
    ):
        answer = dev.get(user["id"], accept=accept)
        assert (answer.headers["Content-Type"], answer.json()) == ("application/json", user)
