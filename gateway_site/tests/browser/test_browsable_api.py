"""DRF's browsable API through the gateway, in a real browser: a developer's steps at /api/users after `make run`."""

import json
import uuid

import pytest
import requests

from gateway_site.tests.browser.conftest import Open, Visit, barriers
from tools.processes.service import Service

pytestmark = pytest.mark.verify


def fresh(gateway: Service) -> dict[str, str]:
    """A user made for one test."""
    body = {"name": "Ana Gómez", "email": f"{uuid.uuid4()}@example.com"}
    answer = requests.post(f"{gateway.url}/api/users", json=body, timeout=10)
    user: dict[str, str] = answer.json()
    return user


def send(visit: Visit, method: str, body: dict[str, str]) -> None:
    """Fills the raw form of a method and presses its button, as a developer does."""
    visit.page.locator("textarea[name=_content]").fill(json.dumps(body))
    with visit.page.expect_navigation(wait_until="networkidle"):
        visit.page.get_by_role("button", name=method, exact=True).click()


def test_page_has_its_styles_and_asks_only_the_gateway(visit: Open, dev_gateway: Service) -> None:
    seen = visit(dev_gateway)
    seen.open("/api/users")
    seen.assert_whole()
    assert "system-ui" in seen.page.evaluate("getComputedStyle(document.body).fontFamily")


@pytest.mark.parametrize("reader", [{"java_script_enabled": False}], ids=["without scripts"])
def test_form_keeps_what_was_typed_then_creates_changes_and_deletes(visit: Open, dev_gateway: Service) -> None:
    seen, page = visit(dev_gateway), None
    seen.open("/api/users")
    page = seen.page
    page.fill("#POST-name", "Ana Gómez")
    page.fill("#POST-email", "nobody")
    page.get_by_role("button", name="Create").click()
    assert (page.input_value("#POST-name"), page.input_value("#POST-email")) == ("Ana Gómez", "nobody")
    assert "valid email" in page.inner_text("#POST-email-errors")
    page.fill("#POST-email", f"{uuid.uuid4()}@example.com")
    page.get_by_role("button", name="Create").click()
    assert "HTTP 201" in seen.text()
    page.get_by_role("link", name="users", exact=True).click()
    page.locator("table a").first.click()
    page.fill("#PUT-name", "Grace")
    page.get_by_role("button", name="Save").click()
    assert ("HTTP 200" in seen.text(), page.input_value("#PUT-name")) == (True, "Grace")
    where = page.url
    page.get_by_role("button", name="Delete").click()
    assert page.url == f"{dev_gateway.url}/api/users"
    page.goto(where)
    assert "user-not-found" in seen.text()
    assert page.locator("button").count() == 0


@pytest.mark.parametrize("reader", [{"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}, {}])
def test_no_page_has_a_barrier(visit: Open, dev_gateway: Service) -> None:
    user = fresh(dev_gateway)
    seen = visit(dev_gateway)
    for path in ("/?live", "/problems", "/nowhere", "/api/users", f"/api/users/{user['id']}", "/api/users/nobody"):
        seen.page.goto(seen.url + path)
        assert barriers(seen) == ""


def test_raw_form_shows_the_problem_then_creates(visit: Open, dev_gateway: Service) -> None:
    seen = visit(dev_gateway)
    seen.open("/api/users")
    content = json.loads(seen.page.locator("textarea[name=_content]").input_value())
    assert content == {"name": "", "email": "", "role": "user"}
    send(seen, "POST", {"name": "", "email": "nobody"})
    assert "HTTP 400" in seen.text()
    assert "validation-error" in seen.text()
    seen.errors.clear()
    email = f"{uuid.uuid4()}@example.com"
    send(seen, "POST", {"name": "Ana Gómez", "email": email})
    assert "HTTP 201" in seen.text()
    found = requests.get(f"{dev_gateway.url}/api/users", params={"email": email}, timeout=10).json()
    assert found["count"] == 1
    assert seen.errors == []


def test_user_is_edited_with_the_raw_form(visit: Open, dev_gateway: Service) -> None:
    user = fresh(dev_gateway)
    seen = visit(dev_gateway)
    seen.open(f"/api/users/{user['id']}")
    put = {"name": "Grace", "email": user["email"]}
    for method, role, body in (("PATCH", "user", {"role": "admin"}), ("PUT", "admin", put)):
        content = json.loads(seen.page.locator("textarea[name=_content]").input_value())
        assert content == {"name": user["name"], "email": user["email"], "role": role}
        send(seen, method, body)
        assert "HTTP 200" in seen.text()
    changed = requests.get(f"{dev_gateway.url}/api/users/{user['id']}", timeout=10).json()
    assert (changed["name"], changed["role"]) == ("Grace", "user")
    assert seen.errors == []
