"""/static/… is there in dev only."""

import pytest
import requests

from tests.serving import Served
from tests.wire import exchange, get
from tools.processes.service import Service

STYLE = "/static/rest_framework/css/default.css"


def test_a_file_of_an_installed_package_is_served_in_dev(debug_site: Served) -> None:
    answer = requests.get(debug_site.url + STYLE, timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css")
    assert len(answer.content) == int(answer.headers["content-length"]) > 100


def test_it_is_404_in_production(site: Service) -> None:
    answer = requests.get(site.url + STYLE, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        "/static/nowhere.css",
        "/static/rest_framework",
        "/static/",
        STYLE + "/",
        STYLE + "%2f",
        "/static/a%00b",
        "/static/../common/settings.py",
        "/static/..%2f..%2fcommon%2fsettings.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/" + "a" * 5000,
    ],
)
def test_nothing_else_is(debug_site: Served, path: str) -> None:
    answer = exchange(debug_site.port, get(path))
    assert answer.status in {400, 404}
    assert answer.values("content-type") == ["application/problem+json"]
