"""An identified caller."""

from dataclasses import dataclass
from functools import lru_cache

from common.http.response import Headers
from gateway_site.forwarding.headers import IDENTITY

READ, WRITE = "users:read", "users:write"
SCOPES = frozenset({READ, WRITE})

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that READ allows; any other, known or not, needs WRITE."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`label`, for logs, limits and the user service: `key:` and the key's name, or `jwt:` and the token's subject.

    Never a secret, and valid in a header; the prefix keeps keys and subjects of one name apart. `headers` go to the user
    service.
    """

    label: str
    scopes: frozenset[str]
    headers: Headers


@lru_cache(maxsize=4096)
def principal(kind: str, name: str, scopes: frozenset[str]) -> Principal:
    """One object for each caller, however many tokens it has. `scopes`: some of SCOPES."""
    label = f"{kind}:{name}"
    return Principal(label, scopes, [(IDENTITY + b"subject", label.encode("ascii"))])


def scope_for(method: str | None) -> str:
    """The scope that a request with this method needs."""
    return READ if method in READING else WRITE
