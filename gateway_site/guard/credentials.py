"""Finds the one credential that a request carries, and asks whose it is."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from common.http.request import Request
from gateway_site.forwarding.headers import CREDENTIALS
from gateway_site.guard import challenge
from gateway_site.guard.api_keys import PREFIX, ApiKeys
from gateway_site.guard.principal import Principal

if TYPE_CHECKING:
    from gateway_site.guard.tokens import Tokens

AUTHORIZATION, API_KEY = b"authorization", b"x-api-key"


class Credentials:
    """`keys` and `tokens`: what is accepted."""

    def __init__(self, keys: ApiKeys | None, tokens: "Tokens | None") -> None:
        self._keys, self._tokens = keys, tokens

    def check(self, request: Request) -> Principal | Coroutine[Any, Any, Principal]:
        """Who is calling; to be awaited where that must be found out. Raises Problem (400, 401, 503)."""
        given, fields = request.raw_headers, request.fields
        if len(given) != len(fields):  # some field is repeated
            names = [name for name, _ in fields if name in CREDENTIALS]
            if len(names) != len(set(names)):
                raise challenge.ambiguous("More than one credential was sent")
        bearer = token(given[AUTHORIZATION]) if AUTHORIZATION in given else None
        keys, tokens = self._keys, self._tokens
        if keys is not None and API_KEY in given:
            if bearer is not None:
                raise challenge.ambiguous("More than one credential was sent")
            return keys.check(given[API_KEY])
        if bearer is None:
            raise challenge.missing()
        if keys is not None and (tokens is None or bearer.startswith(PREFIX)):
            return keys.check(bearer)
        assert tokens is not None  # noqa: S101 - one of the two there is
        return tokens.check(bearer)


def token(authorization: bytes) -> bytes | None:
    """What stands behind `Bearer` (RFC 6750 §2.1), if that is the scheme."""
    scheme, _, credential = authorization.partition(b" ")
    return credential.strip() if scheme.lower() == b"bearer" else None
