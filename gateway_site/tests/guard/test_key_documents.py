"""The document at AUTH_JWKS_URL: which of its keys are used, and how much of it is read."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway_site.guard.key_set import fetch, parse
from gateway_site.tests.guard.issuer import RSA_KEY, jwk
from tests.http_server import Handler, http_server

WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused


def test_only_public_signing_keys_of_accepted_kinds_are_used() -> None:
    good = jwk(RSA_KEY, "good")
    document = {
        "keys": [
            good,
            {name: value for name, value in good.items() if name != "use"} | {"kid": "any use"},
            {"kty": "oct", "kid": "good", "k": "c2VjcmV0", "alg": "HS256"},
            {**good, "kid": "encrypts", "use": "enc"},
            {**good, "kid": "other-algorithm", "alg": "RS512"},
            {**good, "kid": "private", "d": "AQAB"},
            {**good, "kid": "wraps", "key_ops": ["wrapKey"]},
            {**good, "kid": 7},
            jwk(WEAK, "weak"),
            jwk(ec.generate_private_key(ec.SECP384R1()), "other-curve"),
            {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
            {**good, "kid": "even exponent", "e": "AAAA"},
            {**good, "kid": "operations are no list", "key_ops": 7},
            "nonsense",
        ]
    }
    assert set(parse(document)) == {("good", "RS256"), ("any use", "RS256")}


NO_SET, NO_KEY = "not a JSON Web Key Set", "no key for RS256, ES256 or EdDSA"


@pytest.mark.parametrize(
    ("document", "fault"),
    [(None, NO_SET), ([], NO_SET), ({}, NO_SET), ({"keys": 1}, NO_SET), ({"keys": []}, NO_KEY), ("keys", NO_SET)],
)
def test_another_document_is_refused(document: object, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$"):
        parse(document)


def test_no_more_of_a_document_is_read_than_is_accepted() -> None:
    written = 0

    class Endless(Handler):
        def do_GET(self) -> None:
            nonlocal written
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while written < 64 << 20:
                    written += self.wfile.write(bytes(1 << 16))

    with http_server(Endless) as origin, pytest.raises(ValueError, match=r"^it is larger than 1048576 bytes$"):
        fetch(origin)
    assert written < 32 << 20
