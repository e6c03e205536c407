"""When two addresses are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users_contract.identity import identity


@pytest.mark.parametrize(
    "spelling",
    [
        "ada@bücher.example",
        "Ada@B\u00dcCHER.Example",
        "ada@bu\u0308cher.example",
        "ADA@XN--BCHER-KVA.example",
        "ada@bücher\u3002example",
    ],
)
def test_each_spelling_of_a_domain_is_one_identity(spelling: str) -> None:
    assert identity(spelling) == "ada@xn--bcher-kva.example"


def test_domains_of_different_owners_are_different() -> None:
    assert identity("a@straße.example") == "a@xn--strae-oqa.example"
    assert identity("a@straße.example") != identity("a@strasse.example")


def test_only_ascii_letters_of_the_local_part_are_folded() -> None:
    assert identity("ÄDa@example.org") == "Äda@example.org"
    assert identity('"A@B"@EXAMPLE.org') == '"a@b"@example.org'


@pytest.mark.parametrize("domain", ["i❤.example", "\u2f00.example", "a\u0378b.example"])
def test_domains_that_no_registry_has_keep_an_identity(domain: str) -> None:
    assert identity(f"a@{domain}") == identity(f"A@{domain.upper()}")
    assert identity(f"a@{domain}").isascii()


@given(st.emails())
def test_identity_of_an_identity_is_itself(email: str) -> None:
    assert identity(identity(email)) == identity(email) == identity(email.upper())
