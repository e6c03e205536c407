"""With DEBUG off a browser gets the same as a program: neither the browsable API nor its assets."""

from collections.abc import Callable

import pytest
import requests

from gateway_site.tests.browser.conftest import Visit
from tools.processes.service import Service

pytestmark = pytest.mark.verify

ASSETS = ("/static/rest_framework/css/bootstrap.min.css", "/api/static/rest_framework/css/bootstrap.min.css")


def test_browser_gets_json(visit: Callable[[Service], Visit], gateway_service: Service) -> None:
    seen = visit(gateway_service)
    with seen.page.expect_response(f"{gateway_service.url}/api/users") as answered:
        seen.open("/api/users")
    assert answered.value.headers["content-type"] == "application/json"
    assert seen.page.locator("form, .navbar").count() == 0


@pytest.mark.parametrize("path", ASSETS)
def test_assets_are_not_served(gateway_service: Service, users_service: Service, path: str) -> None:
    for site in (gateway_service, users_service):
        assert requests.get(site.url + path, timeout=10).status_code == 404
