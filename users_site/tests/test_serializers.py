"""Any JSON value is a valid user or a validation error; nothing else is raised."""

import contextlib
import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError, ValidationError

from common.http.json_body import parse_json
from common.http.problems import field_errors
from users_contract.contracts import UserSerializer

WRITABLE = {"name", "email", "role"}
serializer = UserSerializer()

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
names = st.text(max_size=210) | st.builds("{0}{1}{0}".format, st.sampled_from(" \t\n\x1c\u2003"), st.text(max_size=201))
emails = (
    st.emails()
    | st.text(max_size=20)
    | st.from_regex(r"[a-zé.+]{1,70}@([a-zü]{1,63}\.){1,4}[a-z]{2,6}", fullmatch=True)
)
near_users = st.fixed_dictionaries(
    {"name": names | values, "email": emails | values},
    optional={"role": st.sampled_from(["user", "admin", "root", ""]) | values, "id": values, "nick": values},
)


def validated(data: Any) -> dict[str, Any] | None:
    """The accepted fields; None if they were refused, in a form that problems can tell."""
    try:
        return dict(serializer.run_validation(data))
    except ValidationError as error:
        told = field_errors(error.get_full_details())
        assert told
        assert all(fault.keys() == {"field", "code", "detail"} for fault in told)
        orjson.dumps(told)
        return None


def assert_contract(user: dict[str, Any]) -> None:
    assert user.keys() == WRITABLE
    assert 1 <= len(user["name"]) <= 200
    assert user["name"] == user["name"].strip()
    assert not any(unicodedata.category(character) == "Cc" for character in user["name"])
    assert len(user["email"]) <= 254
    local, _, domain = user["email"].rpartition("@")
    assert local
    assert "." in domain
    assert not any(character.isspace() for character in domain)
    assert user["role"] in {"user", "admin"}


@given(values)
def test_any_value_is_a_user_or_a_validation_error(data: Any) -> None:
    user = validated(data)
    if user is not None:
        assert_contract(user)


@given(near_users)
def test_a_near_user_is_valid_or_a_validation_error(data: dict[str, Any]) -> None:
    user = validated(data)
    if user is not None:
        assert_contract(user)
        assert data.keys() <= WRITABLE
        assert (user["name"], user["email"]) == (data["name"].strip(), data["email"])
        assert validated(user) == user, "a PATCH takes the other fields from the store"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200), st.emails())
def test_every_printable_name_and_plain_address_is_accepted(name: str, email: str) -> None:
    if name.strip() and len(email) <= 254:
        accepted = validated({"name": name, "email": email})
        assert accepted is None or accepted["name"] == name.strip()
        if accepted is None:  # then it was the address, where Django's validator is stricter than RFC 5322
            assert validated({"name": name, "email": "ada@example.org"})


@given(st.binary(max_size=300))
def test_any_bytes_are_json_or_a_parse_error(body: bytes) -> None:
    with contextlib.suppress(ParseError):
        validated(parse_json(body))


def test_parse_error_names_the_position_and_not_the_content() -> None:
    with pytest.raises(ParseError) as raised:
        parse_json(b'{"password":"secret",')
    assert "at character 2" in str(raised.value.detail)
    assert "secret" not in str(raised.value.detail)
