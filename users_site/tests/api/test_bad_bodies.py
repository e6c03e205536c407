"""Bodies that are not a user: always a 4xx problem, never a 5xx, never a dropped connection."""

import pytest

from tests import wire
from tools.processes.service import Service
from users_site.tests.api.client import JSON, Users, faulty_fields, fresh_email, problem

MALFORMED = {
    "empty": b"",
    "white space": b" \n\t ",
    "cut off": b'{"name":"Ada","email":"a@exa',
    "two documents": b"{}{}",
    "trailing comma": b'{"name":"Ada",}',
    "single quotes": b"{'name':'Ada'}",
    "unquoted name": b"{name:1}",
    "comment": b'{"name":"Ada"}//',
    "NaN": b'{"name":NaN}',
    "Infinity": b'{"name":-Infinity}',
    "number beyond a double": b'{"name":1e999}',
    "leading zero": b'{"name":01}',
    "invalid UTF-8": b'{"name":"\xff\xfe"}',
    "overlong UTF-8": b'{"name":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"name":"\xed\xa0\x80"}',
    "UTF-16": '{"name":"Ada"}'.encode("utf-16"),
    "UTF-32": '{"name":"Ada"}'.encode("utf-32"),
    "byte order mark": b'\xef\xbb\xbf{"name":"Ada"}',
    "lone high surrogate": b'{"name":"\\ud800"}',
    "lone low surrogate": b'{"name":"\\udc00x"}',
    "reversed surrogates": b'{"name":"\\udc00\\ud800"}',
    "control character": b'{"name":"a\x01b"}',
    "NUL": b'{"name":"Ada"}\x00',
    "bad escape": b'{"name":"\\x41"}',
    "20,000 brackets": b"[" * 20_000,
    "20,000 nested brackets": b'{"name":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "10,000 nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "form": b"name=Ada&email=a%40example.org",
    "XML": b"<user/>",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_json_is_400(users: Users, body: bytes) -> None:
    assert problem(users.post_bytes(body), 400, "malformed-request", "/users")["errors"] == []


@pytest.mark.parametrize("depth", [1, 990, 1000, 1020])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_value_is_400_by_name(users: Users, depth: int, opening: bytes, closing: bytes) -> None:
    """Python ends a recursion at 1,000, the parser at 1,024: depths between are 400 too."""
    value = opening * depth + b"1" + closing * depth
    for field in ("name", "email", "role", "nick"):
        assert field in faulty_fields(users.post_bytes(b'{"%b":%b}' % (field.encode(), value)))


@pytest.mark.parametrize(
    "body", [b"null", b"true", b"1", b'"x"', b"[]", b"[{}]", b"[" * 1000 + b"]" * 1000, b"1.5e3", b"-0"]
)
def test_a_body_that_is_not_an_object_is_400(users: Users, body: bytes) -> None:
    assert faulty_fields(users.post_bytes(body)).keys() == {""}


@pytest.mark.parametrize(
    "number", ["1" + "0" * 5000, "-" + "9" * 400, "1e308", "18446744073709551616", "0.1", "-0", "5e-324"]
)
def test_number_of_any_size_is_400_by_name_or_malformed(users: Users, number: str) -> None:
    for field in ("name", "email", "role"):
        answer = users.post_bytes(f'{{"{field}":{number}}}'.encode())
        if len(number) > 300:  # beyond a double: the parser says so
            problem(answer, 400, "malformed-request")
        else:
            assert field in faulty_fields(answer)


def test_of_duplicate_names_the_last_counts(users: Users) -> None:
    """RFC 8259 §4 leaves it open; all fields still pass the same checks."""
    first, last = fresh_email(), fresh_email()
    answer = users.post_bytes(f'{{"name":"A","name":"B","email":"{first}","email":"{last}"}}'.encode())
    assert (answer.json()["name"], answer.json()["email"]) == ("B", last)
    assert faulty_fields(users.post_bytes(b'{"name":"A","name":"","email":"a@example.org"}')) == {"name": "blank"}


def test_a_thousand_unknown_fields_are_all_named(users: Users) -> None:
    fields = {f"field-{number}": number for number in range(1000)}
    faults = faulty_fields(users.post({"name": "Ada", "email": fresh_email(), **fields}))
    assert faults == dict.fromkeys(fields, "unknown")


@pytest.mark.parametrize("field", ["a" * 60_000, "\u202e", "😀", "__proto__", "__class__", "{0}", "%s", "<script>"])
def test_unknown_field_of_any_name_is_400(users: Users, field: str) -> None:
    assert faulty_fields(users.post({"name": "Ada", "email": fresh_email(), field: 1})) == {field[:100]: "unknown"}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json;charset=latin-1",
        "application/json; charset=utf-80",
        "application/merge-patch+json",
        "application/xml",
        "*/*",
        "json",
        ";",
        "",
        None,
        "application/json, text/plain",
        "x" * 5000,
    ],
)
def test_other_content_type_is_415(users: Users, content_type: str | None) -> None:
    answer = users.post_bytes(b"{}", content_type)
    problem(answer, 415, "unsupported-media-type", "/users")
    assert answer.headers["accept"] == "application/json"


def test_another_patch_type_is_415_and_says_what_is_read(users: Users) -> None:
    path = f"/{users.created()['id']}"
    answer = users.request("PATCH", path, data=b"[]", headers={"Content-Type": "application/json-patch+json"})
    problem(answer, 415, "unsupported-media-type", f"/users{path}")
    assert answer.headers["accept-patch"] == "application/json, application/merge-patch+json"


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x" * 5000])
def test_compressed_body_is_415_and_says_what_is_read(users: Users, coding: str) -> None:
    answer = users.request("POST", data=b"{}", headers={**JSON, "Content-Encoding": coding})
    problem(answer, 415, "unsupported-media-type", "/users")
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("types", [("application/json", "text/plain"), ("text/plain", "application/json")])
def test_two_content_types_are_415(users_service: Service, types: tuple[str, str]) -> None:
    fields = [f"Content-Type: {each}" for each in types]
    answer = wire.exchange(users_service.port, wire.get("/users", *fields, "Content-Length: 2", method="POST") + b"{}")
    assert (answer.status, answer.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; charset=UTF-8",
        "application/json; charset=utf8",
        'application/json; profile="charset=latin-1"',
    ],
)
def test_json_is_accepted_in_every_spelling(users: Users, content_type: str) -> None:
    body = f'{{"name":"Ada","email":"{fresh_email()}"}}'.encode()
    assert users.post_bytes(body, content_type).status_code == 201
