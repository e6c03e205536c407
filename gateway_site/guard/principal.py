from dataclasses import dataclass
from functools import lru_cache

from common.http.response import Headers
from gateway_site.routes.field_names import IDENTITY

READ, WRITE = "users:read", "users:write"
SCOPES = frozenset({READ, WRITE})
"""The scopes of the users' route; other routes have their own."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`label`, for logs, limits and the user service: `key:` and the key's name, or `jwt:` and the token's subject.

    It contains no secret, and is valid in a header; the prefix distinguishes keys and subjects of the same name.
    `headers` go to the user service.
    """

    label: str
    scopes: frozenset[str]
    headers: Headers


@lru_cache(maxsize=4096)
def principal(kind: str, name: str, scopes: frozenset[str]) -> Principal:
    """One object for each caller, however many tokens it has."""
    label = f"{kind}:{name}"
    return Principal(label, scopes, [(IDENTITY + b"subject", label.encode("ascii"))])
