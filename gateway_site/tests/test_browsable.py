"""The browsable API in dev, through the gateway: every link, form and file of its pages resolves there."""

import re
from html import unescape
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import pytest
import requests

from tools.processes.service import Service

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECONDS = 15


def references(page: str, elements: str, attribute: str) -> set[str]:
    """What the elements of a page refer to."""
    return set(map(unescape, re.findall(rf'<(?:{elements})\s[^>]*?\b{attribute}="([^"]*)"', page)))


@pytest.fixture(scope="module")
def collection(dev_gateway: Service) -> str:
    """The users' URL; three of them are there."""
    url = f"{dev_gateway.url}/api/users"
    for _ in range(3):
        user = {"name": "Grace <b>Hopper</b>", "email": f"{uuid4().hex}@example.com"}
        assert requests.post(url, json=user, timeout=SECONDS).ok
    return url


def assert_page_is_whole(url: str, page: str) -> None:
    """Every reference of the page is answered by the server that it came from, and under its prefix."""
    files = references(page, "link|script|img", "(?:href|src)")
    assert files
    elsewhere = ("#", "mailto:", "https://www.django-rest-framework.org")
    links = {link for link in references(page, "a", "href") if not link.startswith(elsewhere)}
    for name in files | links:
        assert urljoin(url, name).startswith(urljoin(url, "/")), "no CDN"
        assert requests.get(urljoin(url, name), headers=HTML, timeout=SECONDS).status_code == 200, name
    for action in references(page, "form", "action"):
        assert urlsplit(urljoin(url, action)).path == urlsplit(url).path, action


def test_a_list_is_a_page_whose_references_resolve(collection: str) -> None:
    url = f"{collection}?limit=2"
    answer = requests.get(url, headers=HTML, timeout=SECONDS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert_page_is_whole(url, answer.text)
    older = requests.get(url, timeout=SECONDS).json()["next"]
    assert older in {urljoin(url, link) for link in references(answer.text, "a", "href")}
    assert "<b>Hopper" not in answer.text


def test_a_user_is_a_page_whose_references_resolve(collection: str) -> None:
    user = requests.get(f"{collection}?limit=1", timeout=SECONDS).json()["results"][0]
    url = f"{collection}/{user['id']}"
    answer = requests.get(url, headers=HTML, timeout=SECONDS)
    assert answer.status_code == 200
    assert user["email"] in answer.text
    assert_page_is_whole(url, answer.text)
    assert collection in {urljoin(url, link) for link in references(answer.text, "a", "href")}, "the way up"


def test_in_production_there_is_no_page(gateway_service: Service) -> None:
    answer = requests.get(f"{gateway_service.url}/api/users", headers=HTML, timeout=SECONDS)
    assert answer.headers["content-type"] == "application/json"
