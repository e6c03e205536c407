"""Idempotency-Key: valid keys, and equal requests."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from users_site import idempotency
from users_site.repository.entries import Idempotency
from users_site.tests.refusals import accepted_or_refused
from users_site.tests.requests import request

FIELDS = {"name": "Ada", "email": "ada@example.org", "role": "user"}
fields = st.fixed_dictionaries({name: st.text(max_size=5) for name in FIELDS})


def of(key: str, body: dict[str, Any]) -> Idempotency:
    found = idempotency.of(request(("Idempotency-Key", key)), body)
    assert found is not None
    return found


def test_without_a_header_there_is_no_key() -> None:
    assert idempotency.of(request(), FIELDS) is None


visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@given(visible | st.text(st.characters(max_codepoint=255), max_size=300))
@example("a" * 256)
@example("~" * 255)
@example("a\n")
def test_any_header_is_a_key_or_a_validation_error(key: str) -> None:
    kept, refused = accepted_or_refused(lambda: of(key, FIELDS).key)
    if 1 <= len(key) <= 255 and all("!" <= character <= "~" for character in key):
        assert kept == key
    else:
        assert refused == {"Idempotency-Key": ["invalid"]}


def test_two_keys_are_refused_even_if_they_are_equal() -> None:
    for second in ("a", "b"):
        twice = request(("Idempotency-Key", "a"), ("Idempotency-Key", second))
        with pytest.raises(ValidationError):
            idempotency.of(twice, FIELDS)


@given(fields, fields)
def test_fingerprints_are_equal_only_for_equal_fields(first: dict[str, str], second: dict[str, str]) -> None:
    equal = of("k", first).fingerprint == of("k", second).fingerprint
    assert equal == (first == second)
    assert of("k", dict(reversed(first.items()))).fingerprint == of("k", first).fingerprint
    assert len(of("k", first).fingerprint) == 32
