"""Which addresses are accepted: those of one pattern, and never one that Django's validator refuses, but for `a@b.c`."""

import re

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from users_contract.contracts import EMAIL_MAX, LOCAL_MAX, StrictEmailField

field = StrictEmailField()
ACCEPTED = {
    "plain": "ada@example.com",
    "capitals": "Ada.Lovelace@EXAMPLE.COM",
    "every sign of an atom": "!#$%&'*+/=?^_`{|}~-@example.com",
    "quoted": '"ada@work, \\"home\\""@example.com'.replace(", ", ","),
    "quoted with an escaped space": '"ada\\ lovelace"@example.com',
    "an IDN": "ada@münchen.de",
    "an IDN to the top": "ada@उदाहरण.परीक्षा",
    "Punycode": "ada@xn--mnchen-3ya.xn--p1ai",
    "one letter each": "a@b.c",
    "one letter of another script at the top": "ada@example.ж",
    "localhost": "ada@localhost",
    "an IPv4 literal": "ada@[127.0.0.1]",
    "a label of 63": f"a@{'b' * 63}.us",
    "64 octets before the @": "a" * 64 + "@example.com",
    "254 characters": "a@" + "b." * 125 + "us",
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
    "65 octets before the @": "a" * 65 + "@example.com",
    "255 characters": "aa@" + "b." * 125 + "us",
}


def is_accepted(text: str) -> bool:
    try:
        return field.run_validation(text) == text
    except ValidationError as error:
        assert error.get_codes() in (["invalid"], ["max_length"])
        return False


def is_short(text: str) -> bool:
    return len(text) <= EMAIL_MAX and len(text.rpartition("@")[0].encode()) <= LOCAL_MAX


def is_accepted_by_django(text: str) -> bool:
    try:
        validate_email(re.sub(r"\.([^\W\d_])\Z", r".\1\1", text))  # it needs two letters at the top
    except DjangoValidationError:
        return False
    return True


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_it_is_accepted(text: str) -> None:
    assert is_accepted(text)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(text: str) -> None:
    assert not is_accepted(text)


# At the ends of the ranges of other scripts, and beyond them.
WIDE = st.sampled_from(
    "\u00a1\u167f\u1680\u1681\u1fff\u2000\u202e\u2bff\u2c00\u2fef\u2ff0\u3000\u3001"
    "\ud7ff\uf900\ufefe\ufeff\uff01\uffef\ufff0é"
)
PIECE = st.sampled_from(["", "-", "..", "1", "xn--", '"', "[", "\\"])


@given(st.emails(), PIECE | WIDE, st.integers(0, 60))
def test_an_address_is_accepted_only_if_django_accepts_it(address: str, piece: str, at: int) -> None:
    text = address[:at] + piece + address[at:]
    expected = is_accepted_by_django(text) and is_short(text)
    assert is_accepted(text) <= expected
    if piece.isascii():  # those in REFUSED are not made of such pieces
        assert is_accepted(text) == expected
