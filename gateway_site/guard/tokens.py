"""Bearer tokens of an issuer: JSON Web Tokens (RFC 7519), verified by PyJWT against the issuer's keys.

A verification costs some 100 µs, so its result is kept for the token's life. Only good tokens are kept, so nobody can fill the
cache who has none.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import jwt
from jwt import exceptions as wrong

from common.http.problem import Problem
from gateway_site.guard import challenge
from gateway_site.guard.key_set import KeySet, NoKeys
from gateway_site.guard.principal import SCOPES, Principal, principal

LEEWAY_SECONDS = 30
"""How far an issuer's clock may be from ours."""

MAX_TOKEN_BYTES = 6144
MAX_CACHED_BYTES = 1 << 22
"""Some 5,000 tokens, with what is known of them 8 MB; beyond it the oldest goes."""

TYPES = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})
"""`typ` of what may be an access token (RFC 9068 §4): other things that an issuer signs are none."""

_SUBJECT = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
"""At most 255 ASCII characters (OpenID Connect Core §2), fit for a header."""

WRONG: tuple[tuple[type[Exception], str, str], ...] = (
    (wrong.ExpiredSignatureError, "expired", "The token has expired"),
    (wrong.ImmatureSignatureError, "not_yet", "The token is not valid yet"),
    (wrong.MissingRequiredClaimError, "claims", "The token lacks a claim"),
    (wrong.InvalidAudienceError, "claims", "The token is for another audience"),
    (wrong.InvalidIssuerError, "claims", "The token is from another issuer"),
    (wrong.InvalidSubjectError, "claims", "The token has no usable subject"),
    (wrong.InvalidSignatureError, "signature", "The token's signature is not the issuer's"),
    (wrong.InvalidAlgorithmError, "signature", "The token's algorithm is not accepted"),
    (Exception, "malformed", "The token is malformed"),
)
"""What each error is in metrics, and what the client is told."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A good token, and when it is good; seconds since 1970, leeway included."""

    principal: Principal
    not_before: float
    expires: float


class Tokens:
    """Verifies the tokens of one issuer for one audience."""

    def __init__(
        self, origin: str, target: str, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer, self._audience, self._clock = issuer, audience, clock
        self._cache: OrderedDict[bytes, Verified] = OrderedDict()
        self._cached_bytes = 0
        self.keys = KeySet(origin, target, changed=self._forget)

    def check(self, token: bytes) -> Principal | Coroutine[Any, Any, Principal]:
        """Whose token it is; to be awaited where that must be found out. Raises Problem (401; 503 while nobody
        can say)."""
        known = self._cache.get(token)
        return self._verify(token) if known is None else self._in_time(known)

    def _in_time(self, known: Verified) -> Principal:
        now = self._clock()
        if now >= known.expires:
            raise challenge.invalid("expired", "The token has expired")
        if now < known.not_before:
            raise challenge.invalid("not_yet", "The token is not valid yet")
        return known.principal

    def _remember(self, token: bytes, verified: Verified) -> None:
        if token not in self._cache:
            self._cached_bytes += len(token)
        self._cache[token] = verified
        while self._cached_bytes > MAX_CACHED_BYTES:
            oldest, _ = self._cache.popitem(last=False)
            self._cached_bytes -= len(oldest)

    def _forget(self) -> None:
        """A key was withdrawn: every token is verified anew."""
        self._cache.clear()
        self._cached_bytes = 0

    async def _verify(self, token: bytes) -> Principal:
        if len(token) > MAX_TOKEN_BYTES:
            raise challenge.invalid("malformed", f"The token is larger than {MAX_TOKEN_BYTES} bytes")
        try:
            head = jwt.get_unverified_header(token)
            kid, algorithm = _names(head)
            key = await self.keys.find(kid, algorithm)
            if key is None:
                raise challenge.invalid("unknown_key", "The token's key is not known for its algorithm")
            verified = self._verified(token, key, algorithm)
            self._remember(token, verified)
            return self._in_time(verified)
        except Problem:
            raise
        except NoKeys:
            raise Problem("upstream-unavailable", "The keys that tokens are verified with are not to be had.") from None
        except Exception as error:  # whatever a hostile token makes a parser raise: it is refused
            reason, text = next((reason, text) for kind, reason, text in WRONG if isinstance(error, kind))
            raise challenge.invalid(reason, text) from error

    def _verified(self, token: bytes, key: Any, algorithm: str) -> Verified:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            options={
                "require": ["exp", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        # Times are compared where the cache is read: the same way for a fresh token and a known one.
        not_before, expires = _seconds(claims.get("nbf", 0)), _seconds(claims["exp"])
        subject = claims["sub"]
        if not _SUBJECT.fullmatch(subject):
            raise wrong.InvalidSubjectError
        who = principal("jwt", subject, scopes(claims) & SCOPES)
        return Verified(who, not_before - LEEWAY_SECONDS, expires + LEEWAY_SECONDS)


def _names(head: dict[str, Any]) -> tuple[str, str]:
    """The key that a token names. Nothing else in its head counts: no key, no address of one. Raises ValueError."""
    kid, algorithm, kind = head.get("kid"), head.get("alg"), head.get("typ")
    if not isinstance(kid, str) or not isinstance(algorithm, str):
        raise ValueError("no key is named")
    if algorithm not in {"RS256", "ES256", "EdDSA"}:
        raise wrong.InvalidAlgorithmError
    if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
        raise ValueError("not an access token")
    return kid, algorithm


def _seconds(value: object) -> float:
    """A NumericDate (RFC 7519 §2). Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError("no NumericDate")
    return float(value)


def scopes(claims: dict[str, Any]) -> frozenset[str]:
    """From `scope` (RFC 8693 §4.2: a string), else `scp`: a string or a list."""
    given = claims.get("scope", claims.get("scp", ""))
    found = given.split() if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("no scopes")
    return frozenset(found)
