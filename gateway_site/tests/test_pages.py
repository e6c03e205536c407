"""The gateway's own pages: `/`, `/problems`, and `/metrics`, which are for scrapers: through a proxy they are 404."""

import re

import pytest
import requests

from common.http.problem import KINDS
from tests.serving import serving
from tools.processes.service import Service

HTML = {"Accept": "text/html"}
SECONDS = 10


@pytest.mark.parametrize("accept", ["text/html;q*=x'*'", "text/html;q*0=1;q*=utf-8''1"])
def test_a_malformed_accept_gets_json(gateway_service: Service, accept: str) -> None:
    answer = requests.get(gateway_service.url, headers={"Accept": accept}, timeout=SECONDS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_every_kind_of_problem_is_explained_where_its_type_points(gateway_service: Service) -> None:
    page = requests.get(f"{gateway_service.url}/problems", headers=HTML, timeout=SECONDS).text
    assert set(re.findall(r'id="([a-z-]+)"', page)) >= KINDS.keys()
    told = requests.get(f"{gateway_service.url}/problems", timeout=SECONDS).json()["problems"]
    assert {kind["code"]: kind["status"] for kind in told} == {code: kind.status for code, kind in KINDS.items()}


@pytest.mark.parametrize("path", ["/", "/problems"])
def test_other_methods_are_405(gateway_service: Service, path: str) -> None:
    answer = requests.post(gateway_service.url + path, timeout=SECONDS)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


@pytest.mark.parametrize("trusted", ["", "127.0.0.0/8"])
def test_metrics_are_closed_to_what_a_proxy_passes_on(trusted: str) -> None:
    with serving("gateway_site", TRUSTED_PROXIES=trusted) as gateway:
        for name, value in (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=1"), ("X-Real-IP", "203.0.113.9")):
            answer = requests.get(f"{gateway.url}/metrics", headers={name: value}, timeout=SECONDS)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
            assert requests.get(f"{gateway.url}/health/live", headers={name: value}, timeout=SECONDS).ok
        assert requests.get(f"{gateway.url}/metrics", timeout=SECONDS).ok, "a scraper in the same network"
