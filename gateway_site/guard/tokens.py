"""Bearer tokens of an issuer: JSON Web Tokens (RFC 7519), verified by PyJWT with the issuer's keys.

A verification costs some 100 µs, so its result is cached for the token's life. Invalid tokens are not cached: a client
without a valid one cannot fill the cache.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import jwt
from jwt import exceptions

from common.http.problem import Problem
from gateway_site.guard import challenge
from gateway_site.guard.key_set import KINDS, KeySet, NoKeys
from gateway_site.guard.principal import Principal, principal

LEEWAY_SECONDS = 30
"""The issuer's clock may differ by this much."""

MAX_TOKEN_BYTES = 6144
MAX_CACHED_BYTES = 1 << 22
"""Some 5,000 tokens, 8 MB in all; beyond it the oldest is evicted."""

TYPES = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})
"""`typ` of access tokens (RFC 9068 §4): an issuer signs other tokens too."""

_SUBJECT = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
"""At most 255 ASCII characters (OpenID Connect Core §2), valid in a header."""

FAULTS: tuple[tuple[type[Exception], str, str], ...] = (
    (exceptions.ExpiredSignatureError, "expired", "The token has expired"),
    (exceptions.ImmatureSignatureError, "not_yet", "The token is not valid yet"),
    (exceptions.MissingRequiredClaimError, "claims", "The token lacks a claim"),
    (exceptions.InvalidAudienceError, "claims", "The token is for another audience"),
    (exceptions.InvalidIssuerError, "claims", "The token is from another issuer"),
    (exceptions.InvalidSubjectError, "claims", "The token has no usable subject"),
    (exceptions.InvalidSignatureError, "signature", "The token's signature is not the issuer's"),
    (exceptions.InvalidAlgorithmError, "signature", "The token's algorithm is not accepted"),
    (Exception, "malformed", "The token is malformed"),
)
"""The metric's word and the client's text for each error."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A valid token and its life in seconds since 1970, leeway included."""

    principal: Principal
    not_before: float
    expires: float

    def at(self, now: float) -> Principal:
        """The principal. Raises Problem (401) outside the token's life."""
        if now >= self.expires:
            raise challenge.invalid("expired", "The token has expired")
        if now < self.not_before:
            raise challenge.invalid("not_yet", "The token is not valid yet")
        return self.principal


class Tokens:
    """Verifies the tokens of one issuer for one audience. `scope_claims`: the first one in a token has its scopes.

    Only `known_scopes` count, which may grow.
    """

    def __init__(
        self,
        url: str,
        *,
        issuer: str,
        audience: str,
        known_scopes: Set[str],
        scope_claims: Sequence[str],
    ) -> None:
        self._issuer, self._audience = issuer, audience
        self._scope_claims, self._known_scopes = scope_claims, known_scopes
        self._cache: OrderedDict[bytes, Verified] = OrderedDict()
        self._cached_bytes = 0
        self._scopes_at_verification = len(known_scopes)
        self.keys = KeySet(url, changed=self._forget)

    async def check(self, token: bytes) -> Principal:
        if len(self._known_scopes) != self._scopes_at_verification:
            self._forget()
        verified = self._cache.get(token)
        if verified is None:
            verified = await self._verify(token)
            self._remember(token, verified)
        return verified.at(time.time())

    def _remember(self, token: bytes, verified: Verified) -> None:
        if token not in self._cache:
            self._cached_bytes += len(token)
        self._cache[token] = verified
        while self._cached_bytes > MAX_CACHED_BYTES:
            oldest, _ = self._cache.popitem(last=False)
            self._cached_bytes -= len(oldest)

    def _forget(self) -> None:
        """Empties the cache: a key was withdrawn, or there are new scopes."""
        self._cache.clear()
        self._cached_bytes = 0
        self._scopes_at_verification = len(self._known_scopes)

    async def _verify(self, token: bytes) -> Verified:
        if len(token) > MAX_TOKEN_BYTES:
            raise challenge.invalid("malformed", f"The token is larger than {MAX_TOKEN_BYTES} bytes")
        try:
            kid, algorithm = _names(jwt.get_unverified_header(token))
            key = await self.keys.find(kid, algorithm)
            if key is None:
                raise challenge.invalid("unknown_key", "The token's key is not known for its algorithm")
            return self._decoded(token, key, algorithm)
        except Problem:
            raise
        except NoKeys:
            raise Problem("upstream-unavailable", "The issuer's keys are not available.") from None
        except Exception as error:  # a hostile token can make a parser raise anything
            reason, text = next((reason, text) for kind, reason, text in FAULTS if isinstance(error, kind))
            raise challenge.invalid(reason, text) from error

    def _decoded(self, token: bytes, key: Any, algorithm: str) -> Verified:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            # Verified.at compares the times, for new and cached tokens alike.
            options={
                "require": ["exp", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        not_before, expires = _seconds(claims.get("nbf", 0)), _seconds(claims["exp"])
        subject = claims["sub"]
        if not _SUBJECT.fullmatch(subject):
            raise exceptions.InvalidSubjectError
        owner = principal("jwt", subject, scopes(claims, self._scope_claims) & self._known_scopes)
        return Verified(owner, not_before - LEEWAY_SECONDS, expires + LEEWAY_SECONDS)


def _names(head: dict[str, Any]) -> tuple[str, str]:
    """`kid` and `alg`. The other members are ignored: a token must not bring a key or its address. Raises ValueError."""
    kid, algorithm, kind = head.get("kid"), head.get("alg"), head.get("typ")
    if not isinstance(kid, str) or not isinstance(algorithm, str):
        raise ValueError("no key is named")
    if algorithm not in KINDS:
        raise exceptions.InvalidAlgorithmError
    if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
        raise ValueError("not an access token")
    return kid, algorithm


def _seconds(value: object) -> float:
    """A NumericDate (RFC 7519 §2). Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError("no NumericDate")
    return float(value)


def scopes(claims: dict[str, Any], names: Sequence[str]) -> frozenset[str]:
    """The first of the claims that is there: a string (RFC 8693 §4.2) or a list. Raises ValueError."""
    given = next((value for name in names if (value := claims.get(name)) is not None), "")
    found = given.split() if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("no scopes")
    return frozenset(found)
