"""Every documented operation answers at the running gateway, as documented."""

import uuid
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from common.tests.openapi.documents import Operation, operations
from tools.processes.service import Service

SECONDS = 10


@pytest.fixture(scope="module")
def schema(gateway_service: Service) -> dict[str, Any]:
    """As the gateway serves it."""
    answer = requests.get(f"{gateway_service.url}/api/openapi.json", timeout=SECONDS)
    document: dict[str, Any] = answer.json()
    return document


def call(gateway: Service, operation: Operation, user_id: str) -> requests.Response:
    """One request as the operation asks for it."""
    url = gateway.url + operation.path.format(id=user_id)
    body = (
        {"name": "Ana Gómez", "email": f"{uuid.uuid4()}@example.com"} if "requestBody" in operation.definition else None
    )
    return requests.request(operation.method, url, json=body, timeout=SECONDS)


def check(schema: dict[str, Any], operation: Operation, answer: requests.Response) -> None:
    """The status is documented, its required headers are there, and the body keeps its schema."""
    described = operation.responses[str(answer.status_code)]
    required = {name for name, header in described["headers"].items() if header.get("required")}
    assert {name for name in required if name not in answer.headers} == set()
    content = described.get("content", {})
    if not content:
        assert answer.content == b""
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    validator = Draft202012Validator({**content[media_type]["schema"], "components": schema["components"]})
    assert [error.message for error in validator.iter_errors(answer.json())] == []


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("create_user", 201),
        ("list_users", 200),
        ("get_user", 200),
        ("replace_user", 200),
        ("update_user", 200),
        ("delete_user", 204),
        ("get_health", 200),
        ("get_live", 200),
        ("get_ready", 200),
        ("get_version", 200),
    ],
)
def test_operation_answers(gateway_service: Service, schema: dict[str, Any], name: str, status: int) -> None:
    found = operations(schema)
    user = call(gateway_service, found["create_user"], "").json()
    answer = call(gateway_service, found[name], user["id"])
    assert answer.status_code == status
    check(schema, found[name], answer)


def test_no_operation_is_left_out(schema: dict[str, Any]) -> None:
    [mark] = test_operation_answers.pytestmark
    assert {name for name, _ in mark.args[1]} == operations(schema).keys()


@pytest.mark.parametrize(("form", "media_type"), [("json", "application/json"), ("yaml", "application/yaml")])
def test_both_forms_are_served(gateway_service: Service, schema: dict[str, Any], form: str, media_type: str) -> None:
    import yaml

    answer = requests.get(f"{gateway_service.url}/api/openapi.{form}", timeout=SECONDS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    assert yaml.safe_load(answer.text) == schema
