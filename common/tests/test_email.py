"""Which addresses are taken: what the schema's pattern says, and never one that Django's validator refuses."""

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from users_contract.contracts import EMAIL_MAX, EMAIL_PATTERN, StrictEmailField

field = StrictEmailField()
TAKEN = {
    "plain": "ada@example.com",
    "capitals": "Ada.Lovelace@EXAMPLE.COM",
    "every sign of an atom": "!#$%&'*+/=?^_`{|}~-@example.com",
    "quoted": '"ada@work, \\"home\\""@example.com'.replace(", ", ","),
    "quoted with an escaped space": '"ada\\ lovelace"@example.com',
    "an IDN": "ada@münchen.de",
    "an IDN to the top": "ada@उदाहरण.परीक्षा",
    "Punycode": "ada@xn--mnchen-3ya.xn--p1ai",
    "localhost": "ada@localhost",
    "an IPv4 literal": "ada@[127.0.0.1]",
    "a label of 63": f"a@{'b' * 63}.us",
    "254 characters": "a" * 242 + "@example.com",
}
REFUSED = {
    "no address": "ada",
    "no local part": "@example.com",
    "no dot": "ada@example",
    "a digit at the top": "ada@example.1",
    "two dots": "ada..b@example.com",
    "an empty label": "ada@example..com",
    "a hyphen at the start": "ada@-example.com",
    "a hyphen at the end": "ada@example-.com",
    "a label of 64": f"a@{'b' * 64}.us",
    "an open quote": '"ada@example.com',
    "white space": "ada lovelace@example.com",
    "white space around": " ada@example.com",
    "a line feed at the end": "ada@example.com\n",
    "a line feed in quotes": '"\\\n"@example.com',
    "a letter beyond ASCII before the @": "adä@example.com",
    "the Kelvin sign, which is a k to re.IGNORECASE": "\u212aelvin@example.com",
    "a space of another script": "ada@exa\u1680mple.com",
    "a direction mark": "ada@exa\u202emple.com",
    "a symbol": "ada@☃.com",
    "an IPv4 literal that is none": "ada@[300.0.0.1]",
    "an IPv6 literal without its tag": "ada@[::1]",
    "255 characters": "a" * 243 + "@example.com",
}


def is_taken(text: str) -> bool:
    try:
        return field.run_validation(text) == text
    except ValidationError as error:
        assert error.get_codes() in (["invalid"], ["max_length"])
        return False


def is_taken_by_django(text: str) -> bool:
    try:
        validate_email(text)
    except DjangoValidationError:
        return False
    return True


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_it_is_taken(text: str) -> None:
    assert is_taken(text)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(text: str) -> None:
    assert not is_taken(text)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
@given(st.from_regex(EMAIL_PATTERN, fullmatch=True))
def test_what_the_schema_has_is_taken_and_is_an_address_to_django(text: str) -> None:
    assume(len(text) <= EMAIL_MAX)
    assert is_taken(text)
    assert is_taken_by_django(text)


@given(st.emails(), st.sampled_from(["", "é", "-", "..", "1", "xn--", '"', "["]), st.integers(0, 60))
def test_what_django_takes_is_taken(address: str, piece: str, at: int) -> None:
    """But for what REFUSED names, none of which comes of these pieces."""
    text = address[:at] + piece + address[at:]
    assert is_taken(text) == (is_taken_by_django(text) and len(text) <= EMAIL_MAX)
