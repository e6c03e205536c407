"""Finds the one credential that a request carries, and asks whose it is."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from common.request import Request
from gateway_site.guard import challenge
from gateway_site.guard.api_keys import PREFIX, ApiKeys
from gateway_site.guard.principal import Principal
from gateway_site.headers import CREDENTIALS

if TYPE_CHECKING:
    from gateway_site.guard.tokens import Tokens

AUTHORIZATION, API_KEY = b"authorization", b"x-api-key"


class Credentials:
    """`keys` and `tokens`: what is accepted."""

    def __init__(self, keys: ApiKeys | None, tokens: "Tokens | None") -> None:
        self._keys, self._tokens = keys, tokens

    def check(self, request: Request) -> Principal | Coroutine[Any, Any, Principal]:
        """Who is calling; to be awaited where that must be found out. Raises Problem (400, 401, 503)."""
        given, fields = request.raw_headers, request.scope["headers"]
        if len(given) != len(fields):  # some field is repeated
            names = [name for name, _ in fields if name in CREDENTIALS]
            if len(names) != len(set(names)):
                raise challenge.ambiguous("More than one credential was sent")
        scheme, _, credential = given.get(AUTHORIZATION, b"").partition(b" ")
        is_bearer = scheme.lower() == b"bearer"
        key = given.get(API_KEY) if self._keys is not None else None
        if key is not None:
            if is_bearer:
                raise challenge.ambiguous("More than one credential was sent")
        elif is_bearer:
            key = credential.strip()
        else:
            raise challenge.missing()
        if self._keys is not None and (self._tokens is None or key.startswith(PREFIX) or API_KEY in given):
            return self._keys.check(key)
        assert self._tokens is not None  # noqa: S101 - one of the two there is
        return self._tokens.check(key)
