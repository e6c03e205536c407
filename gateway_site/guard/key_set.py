"""The issuer's public keys (RFC 7517), from AUTH_JWKS_URL: cached, fetched anew in time and for an unknown `kid`, kept while
the issuer is away.

An unknown `kid` may be a rotated key or an invention, and only a fetch can tell. So fetches are one at a time and
COOL_DOWN_SECONDS apart, and who asks for such a key waits for the next one. Keys are known by `kid` *and* algorithm: no token
can have a key used in another way than it was made for.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

import orjson
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from common.observability.load import in_flight
from gateway_site.guard.metrics import KEY_SET_FETCHES
from packages.http_pool import Limits, Upstream, UpstreamError

ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""What a key may be, by `kty` and `crv`, and the one algorithm that it is for."""

LEAST_RSA_BITS = 2048
"""RFC 7518 §3.3."""

FETCH_SECONDS = 2.0
REFRESH_SECONDS = 300.0
"""A key that the issuer has withdrawn is believed this much longer."""
RETRY_SECONDS = 15.0
COOL_DOWN_SECONDS = 2.0
MAX_BYTES = 262_144
MAX_WAITING = 1024
"""Requests that wait for a fetch, some 15 kB each; further ones with an unknown key are asked to come again."""

Keys = dict[tuple[str, str], Any]

logger = logging.getLogger(__name__)


class NoKeys(Exception):
    """Nobody can say whether a key is good: no set could be fetched yet, or too many wait for the next one."""


def parse(body: bytes) -> Keys:
    """The keys that can verify, by `kid` and algorithm; those of other kinds are left out. Raises ValueError."""
    document = orjson.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it is no JSON Web Key Set")
    keys: Keys = {}
    for jwk in listed:
        kid, algorithm = (jwk.get("kid"), usable(jwk)) if isinstance(jwk, dict) else (None, None)
        if not isinstance(kid, str) or algorithm is None:
            continue
        with suppress(PyJWTError, ValueError, TypeError):
            key = PyJWK(jwk, algorithm).key
            if algorithm != "RS256" or key.key_size >= LEAST_RSA_BITS:
                keys[kid, algorithm] = key
    if not keys:
        raise ValueError("it has no key for RS256, ES256 or EdDSA")
    return keys


def usable(jwk: dict[str, Any]) -> str | None:
    """The algorithm that a key is for; None where it must not verify (symmetric, private, for encryption)."""
    algorithm = ALGORITHMS.get((str(jwk.get("kty")), jwk.get("crv") if isinstance(jwk.get("crv"), str) else None))
    operations = jwk.get("key_ops", ["verify"])
    is_public = "d" not in jwk and "k" not in jwk
    if is_public and jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations:
        return algorithm if jwk.get("alg", algorithm) == algorithm else None
    return None


class KeySet:
    """The keys of one issuer, for one event loop. `changed` is called when a known key is gone or another."""

    def __init__(self, origin: str, target: str, changed: Callable[[], object] = lambda: None) -> None:
        self._upstream = Upstream(origin, Limits(FETCH_SECONDS / 2, max_connections=1, max_waiting=1))
        self._target = target.encode("ascii")
        self._changed = changed
        self._keys: Keys = {}
        self._fetching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0  # time.monotonic() before which nothing is fetched
        self._waiting = 0

    async def find(self, kid: str, algorithm: str) -> Any:
        """The key, or None. Raises NoKeys."""
        key = self._keys.get((kid, algorithm))
        # Once more where a fetch was under way already: the key may be younger than what it brings.
        for _ in range(2 if self._fetching else 1):
            if key is not None:
                break
            await self._wait()
            key = self._keys.get((kid, algorithm))
        if not self._keys:
            raise NoKeys
        return key

    async def _wait(self) -> None:
        """For the next set. No work, so not in flight: invented keys would have everybody else refused. Raises NoKeys."""
        if self._waiting >= MAX_WAITING:
            raise NoKeys
        self._waiting += 1
        in_flight.count -= 1
        try:
            await asyncio.shield(self._fetch())
        finally:
            self._waiting -= 1
            in_flight.count += 1

    async def close(self) -> None:
        """Ends what is under way."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._upstream.close()

    def _fetch(self) -> asyncio.Task[None]:
        if self._fetching is None:
            # A context of its own: what it logs belongs to no request.
            self._fetching = asyncio.get_running_loop().create_task(self._refresh(), context=Context())
        return self._fetching

    async def _refresh(self) -> None:
        """Fetches as soon as that is allowed, and arranges for the next time. Raises nothing."""
        again = RETRY_SECONDS
        try:
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))
            self._take(parse(await self._load()))
        except (UpstreamError, ValueError, TimeoutError) as error:
            KEY_SET_FETCHES.labels("failed").inc()
            logger.error("AUTH_JWKS_URL gives no keys, the known ones stay: %s", error)
        else:
            KEY_SET_FETCHES.labels("ok").inc()
            again = REFRESH_SECONDS
        finally:
            self._fetching = None
            self._next = time.monotonic() + COOL_DOWN_SECONDS
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(again, self._fetch)

    async def _load(self) -> bytes:
        headers = [(b"accept", b"application/jwk-set+json, application/json")]
        answer = await self._upstream.request(b"GET", self._target, headers, timeout=FETCH_SECONDS)
        try:
            if answer.status != 200:
                raise ValueError(f"it answered {answer.status}")
            body = b""
            async for chunk in answer.chunks():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"it is larger than {MAX_BYTES} bytes")
        finally:
            await answer.aclose()
        return body

    def _take(self, keys: Keys) -> None:
        is_changed = any(keys.get(name) != key for name, key in self._keys.items())
        self._keys = keys
        if is_changed:
            self._changed()
