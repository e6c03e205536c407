"""`python -m tools.schema.diff`: a sentence for every kind of breaking change, and none for compatible changes."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.schema.diff import FOLDER, SITES, breaks, main
from tools.schema.references import inlined

Change = Callable[[dict[str, Any]], object]

USERS, USER = "/api/users", "/api/users/{id}"
REQUEST = ("components", "schemas", "UserRequest")
ANSWER = ("components", "schemas", "User")
PAGE = ("components", "schemas", "UserPage")
LIMIT = ("paths", USERS, "get", "parameters")


@pytest.fixture(scope="module")
def released() -> dict[str, Any]:
    document = inlined(yaml.load((FOLDER / "gateway.yaml").read_text(), yaml.CSafeLoader))
    fields = at(document, *REQUEST, "properties")
    fields["email"]["pattern"], fields["name"]["pattern"] = "^[a-z.]+@[a-z.]+$", "^.+$"
    return document


def at(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document[key]
    return document


def put(*keys: str, **values: Any) -> Change:
    return lambda document: at(document, *keys).update(values)


def drop(*keys: str) -> Change:
    return lambda document: at(document, *keys[:-1]).pop(keys[-1])


def parameter(name: str, **values: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        [found] = [given for given in at(document, *LIMIT) if given["name"] == name]
        found["schema"].update(values)

    return change


BREAKS: dict[str, tuple[Change, str]] = {
    "path removed": (drop("paths", USER), f"{USER}: the path is gone"),
    "operation removed": (drop("paths", USER, "delete"), f"DELETE {USER}: the operation is gone"),
    "operation renamed": (put("paths", USER, "get", operationId="read"), "its operationId is read and not get_user"),
    "credential required": (
        put("paths", USER, "get", security=[{"bearerAuth": []}]),
        f"GET {USER}: a credential is required now: breaks whoever sends none",
    ),
    "status removed": (drop("paths", USER, "get", "responses", "304"), f"GET {USER} → 304: the status is gone"),
    "response header removed": (
        drop("paths", USERS, "post", "responses", "201", "headers", "Location"),
        f"POST {USERS} → 201, header Location: the header is gone",
    ),
    "response header optional": (
        put("paths", USERS, "post", "responses", "201", "headers", "ETag", required=False),
        "header ETag: the header is not always sent",
    ),
    "response media type replaced": (
        put("paths", USER, "get", "responses", "404", content={"text/plain": {"schema": {}}}),
        f"GET {USER} → 404 application/problem+json: the media type is gone",
    ),
    "response field removed inside a list": (
        drop(*ANSWER, "properties", "role"),
        f"GET {USERS} → 200 application/json, results, items, role: the field is gone",
    ),
    "response field optional": (put(*PAGE, required=["count", "next", "results"]), "previous: the field is not always"),
    "response type changed": (put(*PAGE, "properties", "count", type="string"), "count: it may be what it never was"),
    "response field nullable": (
        put(*ANSWER, "properties", "name", type=["string", "null"]),
        "name: it may be what it never was: type null",
    ),
    "response value added": (
        lambda d: at(d, "components", "schemas", "ProblemCode")["enum"].append("teapot"),
        "code: it may be what it never was: value teapot",
    ),
    "parameter removed": (lambda d: at(d, *LIMIT).pop(), "the parameter is gone"),
    "parameter required": (
        lambda d: at(d, *LIMIT)[0].update(required=True),
        f"GET {USERS}, header X-Request-ID: the parameter is required now",
    ),
    "required parameter added": (
        lambda d: at(d, *LIMIT).append({"in": "query", "name": "team", "required": True, "schema": {}}),
        "query team: the parameter is required now",
    ),
    "maximum lowered": (parameter("limit", maximum=50), "query limit: maximum is 50 and not 100 any more"),
    "minimum raised": (parameter("limit", minimum=10), "query limit: minimum is 10 and not 1 any more"),
    "length limited": (parameter("cursor", maxLength=10), "query cursor: maxLength is 10 and not unlimited"),
    "pattern added": (parameter("cursor", pattern="^a"), "query cursor: pattern is ^a and not free any more"),
    "request type narrowed": (parameter("limit", type="string"), "query limit: type integer is not allowed any more"),
    "request value removed": (
        put("components", "schemas", "Role", enum=["user"]),
        f"POST {USERS}, body application/json, role: value admin is not allowed any more",
    ),
    "null refused": (
        put("components", "schemas", "PatchedUserRequest", "properties", role={"$ref": "#/components/schemas/Role"}),
        f"PATCH {USER}, body application/json, role: type null is not allowed any more",
    ),
    "pattern narrowed": (
        put(*REQUEST, "properties", "email", pattern="^[A-Za-z0-9]+@.+$"),
        "body application/json, email: pattern is",
    ),
    "format added": (put(*REQUEST, "properties", "email", format="email"), "email: format is email and not free"),
    "request field required": (
        put(*REQUEST, required=["name", "email", "role"]),
        f"PUT {USER}, body application/json, role: the field is required now",
    ),
    "request field removed": (drop(*REQUEST, "properties", "role"), "role: the field is gone: breaks whoever sends it"),
    "request media type removed": (
        drop("paths", USER, "patch", "requestBody", "content", "application/merge-patch+json"),
        "body application/merge-patch+json: the media type is gone",
    ),
}

HARMLESS: dict[str, Change] = {
    "path added": put("paths", **{"/api/teams": {}}),
    "optional parameter added": lambda d: at(d, *LIMIT).append({"in": "query", "name": "team", "schema": {}}),
    "optional request field added": put(*REQUEST, "properties", team={"type": "string"}),
    "response field added": put(*ANSWER, "properties", team={"type": "string"}),
    "status added": put("paths", USER, "get", "responses", **{"410": {"description": "gone"}}),
    "maximum raised": parameter("limit", maximum=1000),
    "pattern widened": put(*REQUEST, "properties", "email", pattern='^(x|[a-z.]+@[a-z.]+|".+)$'),
    "pattern dropped": drop(*REQUEST, "properties", "name", "pattern"),
    "unknown fields allowed": drop(*REQUEST, "additionalProperties"),
    "request value added": put(*REQUEST, "properties", role={"enum": ["user", "admin", "guest"], "type": "string"}),
    "text reworded": put("paths", USER, "get", description="Another text."),
}


def sentences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [f"{where}: {what}: breaks {whom}" for where, what, whom in breaks(old, new)]


@pytest.mark.parametrize("name", BREAKS)
def test_break_is_a_sentence(released: dict[str, Any], name: str) -> None:
    change, wanted = BREAKS[name]
    new = copy.deepcopy(released)
    change(new)
    found = sentences(released, new)
    assert any(wanted in sentence for sentence in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_compatible_changes_are_silent(released: dict[str, Any], name: str) -> None:
    new = copy.deepcopy(released)
    HARMLESS[name](new)
    assert new != released
    assert sentences(released, new) == []


def test_unknown_fields_refused_is_a_break(released: dict[str, Any]) -> None:
    old = copy.deepcopy(released)
    drop(*REQUEST, "additionalProperties")(old)
    assert any("unknown fields are not allowed" in sentence for sentence in sentences(old, released))


def test_body_required_is_a_break(released: dict[str, Any]) -> None:
    old = copy.deepcopy(released)
    put("paths", USERS, "post", "requestBody", required=False)(old)
    assert any("the body is required now" in sentence for sentence in sentences(old, released))


def test_exit_code_and_the_version_that_breaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "released").mkdir()
    for site in SITES:
        for part in ("", "released"):
            (tmp_path / part / f"{site}.yaml").write_text((FOLDER / f"{site}.yaml").read_text())
    assert main(tmp_path) == 0
    document = yaml.load((tmp_path / "users.yaml").read_text(), yaml.CSafeLoader)
    del document["paths"]["/version"]
    (tmp_path / "users.yaml").write_text(yaml.safe_dump(document))
    assert main(tmp_path) == 1
    version = document["info"]["version"]
    told = f"users {version}: /version: the path is gone: breaks whoever calls it: 404\n"
    assert capsys.readouterr().err == told
