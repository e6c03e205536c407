"""A token issuer for tests: its keys, a key set over HTTP that may rotate, fail or hang, and arbitrary tokens."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.http_server import Handler, http_server

ISSUER, AUDIENCE = "https://issuer.example", "users-api"

RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
STRANGER = rsa.generate_private_key(65537, 2048)
"""A key that is not the issuer's."""


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key, as a key set lists it."""
    kind: dict[type, Any] = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm = next((value for known, value in kind.items() if isinstance(key, known)), OKPAlgorithm)
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims with some changed; None takes one away."""
    now = time.time()
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "exp": now + 600, "scope": "users:read users:write"}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "rsa", **changed: Any) -> str:
    """A token; `headers` among `changed` replaces the rest of its head."""
    headers = changed.pop("headers", {"kid": kid} if kid else {})
    # Not jwt.encode, which refuses to write hostile tokens.
    return jwt.PyJWS().encode(json.dumps(claims(**changed)).encode(), key, algorithm, headers=headers)


class Issuer:
    """Serves `keys` at /jwks.json; `status` and `open` make it fail or hang; `fetches` counts, `accepted` is of the last."""

    def __init__(self) -> None:
        self.origin, self.fetches, self.open = "", 0, threading.Event()
        self.accepted: str | None = None
        self.reset()

    def reset(self) -> None:
        self.keys = [jwk(RSA_KEY, "rsa", alg="RS256"), jwk(EC_KEY, "ec"), jwk(ED_KEY, "ed")]
        self.status = 200
        self.body: bytes | None = None
        self.open.set()

    @property
    def settings(self) -> dict[str, str]:
        """Of a gateway that trusts it."""
        names = {"AUTH_ISSUER": ISSUER, "AUTH_AUDIENCE": AUDIENCE}
        return {"AUTH": "jwt", "AUTH_JWKS_URL": f"{self.origin}/jwks.json", **names}

    def answer(self, request: Handler) -> None:
        self.fetches += 1
        self.accepted = request.headers["Accept"]
        self.open.wait(10)
        body = self.body if self.body is not None else json.dumps({"keys": self.keys}).encode()
        request.answer(200 if request.path == "/moved" else self.status, body, Location="/moved")


@contextmanager
def issuer() -> Iterator[Issuer]:
    running = Issuer()

    class Answering(Handler):
        def do_GET(self) -> None:
            running.answer(self)

    with http_server(Answering) as running.origin:
        try:
            yield running
        finally:
            running.open.set()
