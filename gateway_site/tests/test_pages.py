"""The gateway's own pages: `/` and `/problems`."""

import re

import pytest
import requests

from common.http.problem import KINDS
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
