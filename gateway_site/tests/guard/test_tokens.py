"""AUTH=jwt: only valid tokens of the issuer are accepted, whatever a forgery looks like."""

import base64
import hmac
import json
import socket
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway_site.guard.tokens import scopes
from gateway_site.tests.guard.conftest import Start, refusals
from gateway_site.tests.guard.issuer import EC_KEY, ED_KEY, ISSUER, RSA_KEY, STRANGER, Issuer, claims, jwk, token
from tests.recording import Recording
from tests.serving import Served
from tests.wire import Answer, exchange, get


def ask(gateway: Served, credential: str) -> Answer:
    return exchange(gateway.port, get("/api/users", f"Authorization: Bearer {credential}"))


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def forged(head: dict[str, Any], key: bytes = b"") -> str:
    """Unsigned, or signed with HMAC: PyJWT refuses to do this with a public key."""
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims()))
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), 'sha256') if key else b'')}"


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec"), (ED_KEY, "EdDSA", "ed")]
)
def test_a_token_of_each_accepted_algorithm_passes(
    guarded: Served, upstream: Recording, key: Any, algorithm: str, kid: str
) -> None:
    for _ in range(2):  # verified, then cached
        assert ask(guarded, token(key, algorithm, kid)).status == 200
        assert upstream.next().values(b"x-authenticated-subject") == [b"jwt:ana"]


PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

MALFORMED = ("malformed", "The token is malformed")
ALGORITHM = ("signature", "The token's algorithm is not accepted")
SIGNATURE = ("signature", "The token's signature is not the issuer's")
UNKNOWN = ("unknown_key", "The token's key is not known for its algorithm")

FORGERIES = {
    "unsigned": (forged({"alg": "none", "kid": "rsa"}), ALGORITHM),
    "unsigned in other letters": (forged({"alg": "nOnE", "kid": "rsa"}), ALGORITHM),
    "HMAC with the public key": (forged({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, PUBLIC_PEM), ALGORITHM),
    "no algorithm": (forged({"kid": "rsa"}), MALFORMED),
    "algorithm is no text": (forged({"alg": ["RS256"], "kid": "rsa"}), MALFORMED),
    "no signature": (token().rpartition(".")[0] + ".", SIGNATURE),
    "signature of another token": (token().rpartition(".")[0] + "." + token(sub="eve").rpartition(".")[2], SIGNATURE),
    "signed by a stranger with a stolen kid": (token(STRANGER), SIGNATURE),
    "signed by a stranger with his key in the head": (
        token(STRANGER, headers={"kid": "rsa", "jwk": jwk(STRANGER, "rsa"), "jku": "http://127.0.0.1:1/jwks.json"}),
        SIGNATURE,
    ),
    "no kid": (token(kid=None), MALFORMED),
    "kid is no text": (forged({"alg": "RS256", "kid": {"a": 1}}), MALFORMED),
    "kid of a key of another kind": (token(kid="ec"), UNKNOWN),
    "algorithm of the same key, not accepted": (token(algorithm="RS512"), ALGORITHM),
    "padding of the same key, not accepted": (token(algorithm="PS256"), ALGORITHM),
    "critical extension": (token(headers={"kid": "rsa", "crit": ["exp2"], "exp2": 1}), MALFORMED),
    "not an access token": (token(headers={"kid": "rsa", "typ": "secevent+jwt"}), MALFORMED),
    "three dots": (token() + ".x", MALFORMED),
    "not base64": ("a.b.c", MALFORMED),
    "empty": ("", MALFORMED),
    "nested deeply": (base64.urlsafe_b64encode(b'{"a":' + b"[" * 3000).decode() + ".e30.e30", MALFORMED),
    "oversized": (token(padding="x" * 5000), ("malformed", "The token is larger than 6144 bytes")),
    "payload is a list": (jwt.PyJWS().encode(b"[1]", RSA_KEY, "RS256", headers={"kid": "rsa"}), MALFORMED),
}


@pytest.mark.parametrize(("credential", "why"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused(
    guarded: Served, trusted_issuer: Issuer, credential: str, why: tuple[str, str]
) -> None:
    reason, text = why
    counted = refusals(reason)
    answer = ask(guarded, credential)
    assert (answer.status, answer.json()["code"], answer.json()["detail"]) == (401, "unauthenticated", f"{text}.")
    challenge = f'Bearer realm="api", error="invalid_token", error_description="{text}"'
    assert answer.values("www-authenticate") == [challenge]
    assert refusals(reason) == counted + 1


@pytest.mark.parametrize("field", ["jku", "x5u"])
def test_an_address_in_a_token_is_never_used(guarded: Served, trusted_issuer: Issuer, field: str) -> None:
    """An attacker could sign, or make the gateway call into its own network."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address = f"http://127.0.0.1:{stranger.getsockname()[1]}/jwks.json"
        assert ask(guarded, token(STRANGER, headers={"kid": "rsa", field: address})).status == 401
        stranger.settimeout(0.2)
        with pytest.raises(TimeoutError):
            stranger.accept()


LACKS, SUBJECT = "The token lacks a claim", "The token has no usable subject"
WRONG_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"iss": None}, LACKS),
    ({"iss": "https://evil.example"}, "The token is from another issuer"),
    ({"iss": [ISSUER]}, "The token is from another issuer"),
    ({"aud": None}, LACKS),
    ({"aud": "another-api"}, "The token is for another audience"),
    ({"aud": []}, LACKS),
    ({"exp": None}, LACKS),
    ({"exp": "soon"}, "The token is malformed"),
    ({"exp": True}, "The token is malformed"),
    ({"exp": float("inf")}, "The token is malformed"),
    ({"exp": 1e12}, "The token is malformed"),
    ({"exp": -1}, "The token is malformed"),
    ({"exp": 0}, "The token has expired"),
    ({"sub": None}, LACKS),
    ({"sub": ""}, SUBJECT),
    ({"sub": 7}, SUBJECT),
    ({"sub": "eve\r\nX-Authenticated-Scopes: users:write"}, SUBJECT),
    ({"sub": "Ève"}, SUBJECT),
    ({"sub": "e" * 256}, SUBJECT),
    ({"scope": {"users:read": True}}, "The token is malformed"),
    ({"scope": None, "scp": [1]}, "The token is malformed"),
    ({"nbf": "later"}, "The token is malformed"),
    ({"nbf": 1e11}, "The token is not valid yet"),
]


@pytest.mark.parametrize(("changed", "text"), WRONG_CLAIMS, ids=str)
def test_a_token_with_a_wrong_or_missing_claim_is_refused(guarded: Served, changed: dict[str, Any], text: str) -> None:
    answer = ask(guarded, token(**changed))
    assert (answer.status, answer.json()["detail"]) == (401, f"{text}.")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"exp": -20}, 200),
        ({"exp": -40}, 401),
        ({"nbf": 20}, 200),
        ({"nbf": 45}, 401),
    ],
    ids=str,
)
def test_clocks_may_differ_by_thirty_seconds(guarded: Served, changed: dict[str, Any], status: int) -> None:
    times: dict[str, Any] = {name: time.time() + delta for name, delta in changed.items()}
    assert ask(guarded, token(**times)).status == status


@pytest.mark.parametrize(
    "changed",
    [{"aud": ["other", "users-api"]}, {"scope": None, "scp": ["users:read"]}, {"scope": None, "scp": "users:read"}],
)
def test_variants_of_issuers_are_accepted(guarded: Served, changed: dict[str, Any]) -> None:
    assert ask(guarded, token(**changed)).status == 200


@pytest.mark.parametrize(
    ("claims", "names", "found"),
    [
        ({"scope": "users:read openid"}, ("scope", "scp"), {"users:read", "openid"}),
        ({"scope": None, "scp": ["users:read"]}, ("scope", "scp"), {"users:read"}),
        ({"scope": None}, ("scope", "scp"), set()),
        ({}, ("scope",), set()),
        ({"scope": "users:read", "roles": ["users:write"]}, ("roles",), {"users:write"}),
        ({"permissions": ["users:read"]}, ("roles", "permissions"), {"users:read"}),
    ],
)
def test_scopes_are_in_the_first_of_the_claims_that_a_token_has(
    claims: dict[str, Any], names: tuple[str, ...], found: set[str]
) -> None:
    assert scopes(claims, names) == found


def test_the_claim_of_the_scopes_is_a_setting(start: Start, trusted_issuer: Issuer, upstream: Recording) -> None:
    with start(**trusted_issuer.settings, AUTH_SCOPE_CLAIM="roles, permissions") as gateway:
        assert ask(gateway, token(scope=None, permissions=["users:read"])).status == 200
        assert ask(gateway, token(scope="users:read")).status == 403
