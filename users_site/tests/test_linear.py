"""Everything that parses client input is linear: doubling the input doubles the time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from common.http import problems
from common.http.json_body import json_body, parse_json
from common.observability import request_id
from tests import in_process
from tests.linear import assert_linear
from users_contract.contracts import UserSerializer
from users_contract.identity import identity
from users_site import idempotency, identifiers, links
from users_site.preconditions import for_write, is_unmodified
from users_site.tests.requests import request

pytestmark = pytest.mark.slow


def page_query(query: bytes) -> object:
    links.page_query.cache_clear()
    return links.page_query(query)


def query_serializer(body: Any) -> object:
    try:
        return UserSerializer().run_validation(body)
    except ValidationError as error:
        return problems.field_errors(error.get_full_details())


def content_type(value: str) -> object:
    fields = ((b"content-type", value.encode()), (b"content-length", b"0"))
    return asyncio.run(json_body(in_process.request("/users", "POST", fields)))


PARSERS: list[tuple[str, Callable[[Any], object], Callable[[int], Any]]] = [
    ("query, one name", page_query, lambda n: b"limit&" * n),
    ("query, many names", page_query, lambda n: b"&".join(b"a%d=%%41" % i for i in range(n))),
    ("query, escapes", page_query, lambda n: b"email=" + b"%41%zz+" * n),
    ("cursor", links.decode_cursor, lambda n: "A" * n),
    ("if-match", lambda v: for_write(request(("If-Match", v))), lambda n: '"a",' * n),
    ("if-match, no quotes", lambda v: for_write(request(("If-Match", v))), lambda n: '"' + 'W/"' * n),
    ("if-none-match", lambda v: is_unmodified(request(("If-None-Match", v)), '"x"'), lambda n: 'W/"a" ,' * n),
    (
        "if-none-match, many lines",
        lambda v: is_unmodified(request(*v), '"x"'),
        lambda n: [("If-None-Match", '"a"')] * n,
    ),
    ("idempotency-key", lambda v: idempotency.of(request(("Idempotency-Key", v)), {}), lambda n: "k" * n),
    ("request id", lambda v: request_id.choose(v.encode()), lambda n: "k" * n),
    ("content type", content_type, lambda n: "application/json" + '; charset="x"' * n),
    ("id", identifiers.canonical, lambda n: "0" * n),
    ("json, nested", parse_json, lambda n: b"[" * n),
    ("json, broken string", parse_json, lambda n: b'"' + b"\\u00" * n),
    ("unknown fields", query_serializer, lambda n: {f"field-{i}": i for i in range(n)}),
    ("email, labels", query_serializer, lambda n: {"name": "x", "email": "a@" + "a." * n}),
    ("email, atoms", query_serializer, lambda n: {"name": "x", "email": "a." * n + "@"}),
    ("email, quoted", query_serializer, lambda n: {"name": "x", "email": '"' + "\\" * n}),
    ("name", query_serializer, lambda n: {"name": " " * n + "\x00", "email": "x"}),
    ("identity", identity, lambda n: "a@" + "ß." * n),
]


@pytest.mark.parametrize(("parse", "make"), [case[1:] for case in PARSERS], ids=[case[0] for case in PARSERS])
def test_a_parser_is_linear(parse: Callable[[Any], object], make: Callable[[int], Any]) -> None:
    assert_linear(parse, make, 2_000)
