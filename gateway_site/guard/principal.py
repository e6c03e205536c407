"""Who is calling, once that is proven."""

from dataclasses import dataclass
from functools import lru_cache

from common.http.response import Headers
from gateway_site.forwarding.headers import IDENTITY

READ, WRITE = "users:read", "users:write"
SCOPES = frozenset({READ, WRITE})

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that READ allows; every other one, known or not, takes WRITE."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`label`, for logs, limits and the user service: `key:` and the key's name, or `jwt:` and the token's subject. Never a
    secret, fit for a header; a key cannot be named like a token's subject."""

    label: str
    scopes: frozenset[str]
    headers: Headers
    """What the user service is told."""


@lru_cache(maxsize=4096)
def principal(kind: str, name: str, scopes: frozenset[str]) -> Principal:
    """The one object for this principal: who has many tokens is kept once. `scopes`: some of SCOPES."""
    label = f"{kind}:{name}"
    return Principal(label, scopes, [(IDENTITY + b"subject", label.encode("ascii"))])


def scope_for(method: str | None) -> str:
    """What a request with this method needs."""
    return READ if method in READING else WRITE
