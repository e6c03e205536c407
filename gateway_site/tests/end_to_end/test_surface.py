"""Paths beside the users: schema and its page, problems, index. Health, versions and request IDs: `smoke`."""

import re
from urllib.parse import urljoin

import pytest
import yaml

from gateway_site.tests.end_to_end.client import Client, new_user

JSON = {"Content-Type": "application/json"}


def test_the_schema_is_this_versions_in_both_forms(client: Client) -> None:
    assert client.schema["openapi"].startswith("3.1")
    assert client.schema["info"]["version"] == client.ask("GET", "/version").json()["version"]
    text = client.ask("GET", "/api/openapi.yaml")
    assert text.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(text.text) == client.ask("GET", "/api/openapi.json").json()


def test_every_operation_of_the_schema_answers_as_documented(client: Client) -> None:
    user = client.create()
    found = [
        (m, path, each)
        for path, item in client.schema["paths"].items()
        for m, each in item.items()
        if "responses" in each
    ]
    assert len(found) > 8
    for method, path, operation in sorted(found, key=lambda each: each[0] == "delete"):
        body = new_user() if "requestBody" in operation else None
        answer = client.ask(method.upper(), path.replace("{id}", user["id"]), json=body)
        assert answer.ok, (method, path)
        if answer.status_code == 201:
            client.users.add(answer.json()["id"])


def test_the_page_of_the_schema_loads_only_from_the_gateway(client: Client) -> None:
    page = client.ask("GET", "/api/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assets = [urljoin(page.url, asset) for asset in re.findall(r'(?:src|href)="([^"#]+)"', page.text)]
    assert len(assets) > 3
    for asset in assets:
        assert asset.startswith(f"{client.url}/"), "no other host"
        assert client.ask("GET", asset).status_code == 200, asset


def test_the_links_of_the_index_work(client: Client) -> None:
    links = client.ask("GET", "/", headers={"Accept": "application/json"}).json()["links"]
    assert links.pop("metrics") == "/metrics", "closed to proxies, so not requested"
    assert {"users", "docs", "schema", "problems", "health"} <= links.keys()
    for name, link in links.items():
        assert client.ask("GET", link).status_code == 200, name


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/api/nowhere", {}, 404, "not-found"),
        ("GET", "/api/users/no-uuid", {}, 404, "user-not-found"),
        ("GET", "/api/users?cursor=broken", {}, 400, "validation-error"),
        ("DELETE", "/api/users", {}, 405, "method-not-allowed"),
        ("POST", "/api/users", {"data": b"{", "headers": JSON}, 400, "malformed-request"),
    ],
)
def test_a_refused_request_is_a_problem(
    client: Client, method: str, path: str, options: dict[str, object], status: int, code: str
) -> None:
    answer = client.ask(method, path, **options)
    problem = answer.json()
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["instance"] == path.partition("?")[0]
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    if status == 405:
        assert "POST" in answer.headers["Allow"]
