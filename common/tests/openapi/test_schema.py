"""The site's OpenAPI schema: valid, without a warning, fresh on disk, with examples that keep it."""

import re
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from common.openapi.generate import schema, text
from common.tests.openapi.documents import FOLDER, operations

SITE = settings.SITE.partition("_")[0]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return schema()


def test_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_is_generated_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    GENERATOR_STATS.reset()
    schema.__wrapped__()
    assert not GENERATOR_STATS, capsys.readouterr().err


def test_written_file_is_fresh() -> None:
    assert (FOLDER / f"{SITE}.yaml").read_bytes() == text("yaml"), "stale: run `make schema` and commit what it writes"


def test_operation_ids_are_unique_and_make_method_names(document: dict[str, Any]) -> None:
    ids = [definition["operationId"] for item in document["paths"].values() for definition in item.values()]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"(list|get|create|replace|update|delete)_[a-z]+", name)] == []


def test_every_body_has_an_example_and_every_example_keeps_its_schema(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        bodies = [*operation.responses.values(), operation.definition.get("requestBody", {})]
        for media_type in [kind for body in bodies for kind in body.get("content", {}).values()]:
            assert media_type["examples"], operation.id
            validator = Draft202012Validator({**media_type["schema"], "components": document["components"]})
            for example in media_type["examples"].values():
                assert [error.message for error in validator.iter_errors(example["value"])] == [], operation.id


def test_what_the_server_sets_is_in_no_request(document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]
    user = components["User"]
    assert (
        set(user["required"])
        == user["properties"].keys()
        == {"id", "name", "email", "role", "created_at", "updated_at"}
    )
    for name in ("UserRequest", "PatchedUserRequest"):
        assert components[name]["properties"].keys() == {"name", "email", "role"}
        assert components[name]["additionalProperties"] is False
    assert components["UserRequest"]["required"] == ["email", "name"]
    assert "required" not in components["PatchedUserRequest"]


def test_every_parameter_and_header_has_an_example(document: dict[str, Any]) -> None:
    components = document["components"]
    for item in [*components["parameters"].values(), *components["headers"].values()]:
        assert "example" in item or item["schema"]["examples"]


def test_no_component_is_a_numbered_variant_of_another(document: dict[str, Any]) -> None:
    names = [name for kind in document["components"].values() for name in kind]
    assert [name for name in names if name[-1].isdigit()] == []


def test_every_operation_has_a_summary_and_its_credentials(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        assert operation.definition["summary"]
        assert "security" in operation.definition
