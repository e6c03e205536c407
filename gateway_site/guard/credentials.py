"""Finds the one credential of a request and checks it."""

from typing import TYPE_CHECKING

from common.http.request import Request
from gateway_site.guard import challenge
from gateway_site.guard.api_keys import PREFIX, ApiKeys
from gateway_site.guard.principal import Principal
from gateway_site.routes.field_names import CREDENTIALS

if TYPE_CHECKING:
    from gateway_site.guard.tokens import Tokens

AUTHORIZATION, API_KEY = b"authorization", b"x-api-key"


class Credentials:
    """`keys` and `tokens`: the accepted kinds, at least one."""

    def __init__(self, keys: ApiKeys | None, tokens: "Tokens | None") -> None:
        self._keys, self._tokens = keys, tokens

    async def check(self, request: Request) -> Principal:
        """The caller. Raises Problem (400, 401, 503)."""
        given, fields = request.raw_headers, request.fields
        if len(given) != len(fields):  # a field is repeated
            names = [name for name, _ in fields if name in CREDENTIALS]
            if len(names) != len(set(names)):
                raise challenge.ambiguous()
        bearer = token(given[AUTHORIZATION]) if AUTHORIZATION in given else None
        key = given.get(API_KEY) if self._keys is not None else None
        # Generated clients send the same text in both fields.
        if key is not None and bearer is not None and key != bearer:
            raise challenge.ambiguous()
        credential = key if key is not None else bearer
        if credential is None:
            raise challenge.missing()
        if self._keys is not None and (key is not None or self._tokens is None or credential.startswith(PREFIX)):
            return await self._keys.check(credential)
        assert self._tokens is not None  # noqa: S101 - there is at least one
        return await self._tokens.check(credential)

    async def close(self) -> None:
        if self._tokens is not None:
            await self._tokens.keys.close()


def token(authorization: bytes) -> bytes | None:
    """The credential of the scheme Bearer (RFC 6750 §2.1)."""
    scheme, _, credential = authorization.partition(b" ")
    return credential.strip() if scheme.lower() == b"bearer" else None
