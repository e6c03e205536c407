"""Swagger UI at /api/docs, in a real browser, under its strict Content-Security-Policy."""

import json
import re
import uuid

import pytest
import requests

from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ
from gateway_site.tests.browser.conftest import Open, Visit, barriers
from tools.processes.service import Service, service

pytestmark = pytest.mark.verify

INLINE_SCRIPT = """
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
"""


def operation(visit: Visit, operation_id: str):
    """The opened panel of one operation."""
    panel = visit.page.locator(f"#operations-users-{operation_id}")
    panel.locator(".opblock-summary-control").click()
    return panel


def test_every_operation_is_shown_and_only_the_gateway_is_asked(visit: Open, gateway_service: Service) -> None:
    seen = visit(gateway_service)
    seen.open("/api/docs")
    seen.page.wait_for_selector(".opblock")
    schema = requests.get(f"{gateway_service.url}/api/openapi.json", timeout=10).json()
    ids = {operation["operationId"] for path in schema["paths"].values() for operation in path.values()}
    shown = {element.get_attribute("id").rsplit("-", 1)[1] for element in seen.page.query_selector_all(".opblock")}
    assert shown == ids
    seen.assert_whole()
    seen.page.evaluate(INLINE_SCRIPT)
    assert seen.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in error for error in seen.errors)


@pytest.mark.parametrize("reader", [{"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}, {}])
def test_try_it_out_creates_a_user_and_no_state_of_the_page_has_a_barrier(
    visit: Open, gateway_service: Service
) -> None:
    seen = visit(gateway_service)
    seen.open("/api/docs")
    seen.page.wait_for_selector(".opblock")
    assert barriers(seen) == ""
    panel = operation(seen, "create_user")
    panel.get_by_role("button", name="Try it out").click()
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    panel.locator("textarea.body-param__text").fill(json.dumps({"name": "Ana Gómez", "email": email}))
    with seen.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        panel.get_by_role("button", name="Execute").click()
    assert answered.value.status == 201
    shown = panel.locator(".live-responses-table .response").first
    shown.wait_for()
    assert re.search(r"\b201\b", shown.inner_text())
    found = requests.get(f"{gateway_service.url}/api/users", params={"email": email}, timeout=10).json()
    assert [user["name"] for user in found["results"]] == ["Ana Gómez"]
    assert barriers(seen) == ""
    seen.page.locator("button.authorize").first.click()
    seen.page.locator(".modal-ux").wait_for()
    assert barriers(seen) == ""
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    assert seen.errors == []


def test_authorize_sends_the_credential(
    visit: Open, users_service: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The key is entered in the dialogue, sent with the request, and not kept when the page is left."""
    folder = tmp_path_factory.mktemp("guarded")
    key, line = api_keys.create("reader", frozenset({READ}), None)
    (folder / "keys").write_text(line)
    settings = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(folder / "keys"), "USER_SERVICE_URL": users_service.url}
    with service("gateway_site", folder, **settings) as gateway:
        seen = visit(gateway)
        seen.open("/api/docs")
        assert listed(seen) == 401
        seen.page.locator("button.authorize").first.click()
        dialogue = seen.page.locator(".modal-ux")
        scheme = dialogue.locator(".auth-container", has_text="apiKeyAuth")
        scheme.locator("input").fill(key)
        scheme.locator("button.authorize").click()
        dialogue.locator("button.btn-done").first.click()
        assert listed(seen) == 200
        seen.open("/api/docs")
        assert listed(seen) == 401


def listed(visit: Visit) -> int:
    """The status of the list, requested on the page."""
    panel = visit.page.locator("#operations-users-list_users")
    if not panel.get_by_role("button", name="Execute").count():
        panel.locator(".opblock-summary-control").click()
        panel.get_by_role("button", name="Try it out").click()
    with visit.page.expect_response(lambda answer: "/api/users" in answer.url) as answered:
        panel.get_by_role("button", name="Execute").click()
    return answered.value.status
