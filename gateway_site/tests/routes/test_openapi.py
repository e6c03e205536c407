"""One schema for the door: the operations of the routes' schemas beside its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from openapi_spec_validator import validate

from gateway_site.routes.openapi import load, operations
from gateway_site.tests.routes.conftest import Tables
from tests.serving import Served, serving

STOCK = """
openapi: 3.1.0
info: {title: Stock, version: "1"}
tags: [{name: stock}, {name: users}, {name: unused}]
paths:
  /v1/items:
    parameters: [{$ref: '#/components/parameters/Limit'}]
    get:
      operationId: list_users
      tags: [stock, users]
      responses:
        200: {description: Items, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}
        503: {$ref: '#/components/responses/Busy'}
    post:
      operationId: add_item
      servers: [{url: "http://stock:1"}]
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Role'}}}}
      responses: {201: {description: Added}, 413: {description: Large}}
    delete: {operationId: clear, responses: {204: {description: Cleared}}}
  /v1/items/{item-id}:
    parameters: [{name: item-id, in: path, required: true, schema: {type: string}}]
    get:
      description: One item.
      responses:
        200: {description: It, content: {application/json: {schema: {$ref: '#/components/schemas/Kind/properties/a'}}}}
  /v1/items/{item-id}/picture: {get: {responses: {200: {description: Not forwarded}}}}
  /v1/itemsets: {get: {responses: {200: {description: Not forwarded}}}}
  /health: {get: {operationId: get_health, responses: {200: {description: Not forwarded}}}}
components:
  parameters:
    Limit: {name: max, in: query, schema: {type: integer, default: 5}}
  responses:
    Busy:
      description: Busy.
      content:
        application/problem+json:
          schema: {type: object, properties: {code: {$ref: '#/components/schemas/ProblemCode'}}}
  schemas:
    User: {type: object, properties: {kind: {$ref: '#/components/schemas/Kind'}, health: {$ref: '#/components/schemas/Live'}}}
    ProblemCode: {type: string, enum: [store-unavailable]}
    Role: {type: string, enum: [admin], description: What the user may do.}
    Kind:
      oneOf: [{$ref: '#/components/schemas/User'}]
      properties: {a: {type: string, enum: [on, 2026-11-28]}}
      discriminator: {propertyName: t, mapping: {u: '#/components/schemas/User'}}
    Live: {type: object, properties: {status: {$ref: '#/components/schemas/LiveStatusEnum'}}}
    LiveStatusEnum: {type: string, const: sleeping}
    Unused: {type: string}
"""
TABLE = """
routes:
  - prefix: /api/v1/stock
    upstream: http://stock:1
    rewrite: /v1/items
    paths: ["", "/{id}"]
    methods: [GET, POST]
    scopes: {GET: none, "*": users:write}
    schema: stock.yaml
  - {prefix: /depot, upstream: "http://stock:2", rewrite: /v1/items, paths: ["/{id}", ""], schema: stock.yaml}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "stock.yaml").write_text(STOCK)
    (folder / "routes.yaml").write_text(TABLE)
    with serving("gateway_site", ROUTES=str(folder / "routes.yaml")) as running:
        yield running


@pytest.fixture(scope="module")
def schema(gateway: Served) -> Any:
    return requests.get(f"{gateway.url}/api/openapi.json", timeout=10).json()


def test_the_merged_schema_is_valid_and_its_own_part_unchanged(schema: Any) -> None:
    validate(schema)
    own = yaml.safe_load(Path("docs/openapi/gateway.yaml").read_text("utf-8"))
    for key, value in own["paths"].items():
        assert schema["paths"][key] == value
    for kind, components in own["components"].items():
        assert {name: schema["components"][kind][name] for name in components} == components


def test_only_what_the_route_forwards_is_added_at_its_paths(schema: Any) -> None:
    found = {path: set(item) - {"parameters"} for path, item in schema["paths"].items() if "stock" in path}
    assert found == {"/api/v1/stock": {"get", "post"}, "/api/v1/stock/{item-id}": {"get"}}
    assert "servers" not in schema["paths"]["/api/v1/stock"]["post"]
    assert [tag["name"] for tag in schema["tags"]] == ["users", "service", "stock"]
    assert "Unused" not in schema["components"]["schemas"]


def test_what_differs_under_one_name_gets_the_name_of_the_route(schema: Any) -> None:
    listed = schema["paths"]["/api/v1/stock"]
    assert [listed["get"]["operationId"], listed["post"]["operationId"]] == ["v1_stock_list_users", "add_item"]
    assert listed["parameters"] == [{"$ref": "#/components/parameters/V1StockLimit"}]
    schemas = schema["components"]["schemas"]
    assert schemas["V1StockUser"]["properties"]["health"] == {"$ref": "#/components/schemas/V1StockLive"}
    assert schemas["Kind"]["discriminator"]["mapping"] == {"u": "#/components/schemas/V1StockUser"}
    assert schemas["Kind"]["properties"]["a"]["enum"] == ["on", "2026-11-28"]
    assert schemas["V1StockRole"]["enum"] == ["admin"]
    assert "V1StockProblemCode" not in schemas  # the gateway's has its one value


def test_the_same_schema_serves_two_routes(schema: Any) -> None:
    items, item = (schema["paths"][path] for path in ("/depot", "/depot/{item-id}"))
    assert [items[method]["operationId"] for method in ("get", "post", "delete")] == [
        "depot_list_users",
        "depot_add_item",
        "clear",
    ]
    assert "operationId" not in item["get"]
    assert {"V1StockUser", "DepotUser", "Kind", "DepotKind"} <= schema["components"]["schemas"].keys()


def test_the_doors_statuses_and_scopes_are_added(schema: Any) -> None:
    listed, added = (schema["paths"]["/api/v1/stock"][method] for method in ("get", "post"))
    assert (listed["security"], added["security"]) == ([], schema["paths"]["/api/users"]["get"]["security"])
    assert added["description"] == "Needs the scope `users:write`."
    shared = {"405", "414", "429", "431", "500", "502", "503", "504"}
    assert set(listed["responses"]) == {"200", *shared}
    assert set(added["responses"]) == {"201", "401", "403", "413", *shared}
    assert added["responses"]["429"] == {"$ref": "#/components/responses/TooManyRequests"}
    busy = listed["responses"]["503"]
    assert busy["description"].startswith("Busy. `store-unavailable`: ")
    theirs, ours = busy["content"]["application/problem+json"]["schema"]["anyOf"]
    assert theirs["properties"] == {"code": {"$ref": "#/components/schemas/ProblemCode"}}
    assert ours == {"$ref": "#/components/schemas/Problem"}


PATHS = "paths: {/a: {get: {responses: {}}}}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "{folder}/a.yaml cannot be read (No such file or directory): mount the service's schema"),
        ("[", "line 2 is not YAML: did not find expected node content"),
        ("openapi: 3.0.3\n", "is not OpenAPI 3.1: convert it"),
        ("- 1\n", "is no valid OpenAPI schema: a validator says more"),
        ("openapi: 3.1.0\npaths: {/a: {get: {responses: []}}}", "is no valid OpenAPI schema"),
        ("openapi: 3.1.0\npaths: {}\n", "has no operation that the route forwards below /a: correct rewrite or paths"),
        ("openapi: 3.1.0\npaths: {/a: {get: {$ref: 'b.yaml#/x'}}}", "refers to b.yaml#/x: bundle it"),
        ("openapi: 3.1.0\npaths: {/a: {get: {$ref: '#/components/schemas/B'}}}", "has no component schemas/B, to which it"),
        ("openapi: 3.1.0\npaths: {/a: {get: &x {responses: {}}, put: *x}}", "line 2 has the alias *x: write the value out"),
        (f"openapi: 3.1.0\n{PATHS}\npaths: {{}}", "line 3 repeats the key 'paths': write it once"),
        ("openapi: !!set {}", "line 1 has the tag tag:yaml.org,2002:set: remove it"),
        ("[" * 101, "line 1 is nested more than 100 deep"),
        pytest.param("#" * ((1 << 20) + 1), "a.yaml is larger than 1048576 bytes: make it smaller", id="large"),
    ],
)  # fmt: skip
def test_a_bad_schema_is_refused_with_its_route_and_the_cure(tables: Tables, text: str | None, line: str) -> None:
    if text is not None:
        (tables.folder / "a.yaml").write_text(text)
    said = tables.refused("routes:\n  - {prefix: /a, upstream: 'http://h', schema: a.yaml}\n", ".yaml")
    place, _, fault = said.partition(": schema a.yaml: ")
    assert place.endswith("routes.yaml line 2")
    assert line.format(folder=tables.folder) in fault


def test_json_is_read_with_its_escapes(tables: Tables) -> None:
    text = r'{"openapi": "3.1.0", "paths": {"\/a": {"get": {"description": "\ud83d\ude00 \u000a", "responses": {}}}}}'
    (tables.folder / "a.json").write_text(text)
    found = tables.read("routes:\n  - {prefix: /b, rewrite: /a, upstream: 'http://h', schema: a.json}\n", ".yaml")
    assert dict(operations(load(text), found.routes[0]))["/b"]["get"]["description"] == "😀 \n"


def test_the_users_route_has_no_schema_of_its_own(tables: Tables) -> None:
    said = tables.refused("routes:\n  - {prefix: /api/users, upstream: 'http://h', schema: a.yaml}\n", ".yaml")
    assert said.endswith("line 2: schema a.yaml: the gateway describes users itself: remove it")
