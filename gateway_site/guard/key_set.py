"""The issuer's public keys (RFC 7517), fetched by PyJWT's client in a thread; the last ones stay while the issuer is away.

An unknown `kid` may be a rotated key or invented; only a fetch can tell. Fetches are one at a time and COOL_DOWN_SECONDS
apart, and requests with an unknown key wait for the next one. Keys are stored by `kid` *and* algorithm, so that no token can
use a key with another algorithm.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWTError

from common.observability.load import in_flight
from common.observability.notices import Notices
from gateway_site.guard.metrics import KEY_SET_FETCHES

ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""The one algorithm of a key, by its `kty` and `crv`."""

LEAST_RSA_BITS = 2048
"""RFC 7518 §3.3."""

FETCH_SECONDS = 2.0
REFRESH_SECONDS = 300.0
"""The longest time for which a withdrawn key stays valid."""
RETRY_SECONDS = 15.0
COOL_DOWN_SECONDS = 2.0
MAX_WAITING = 1024
"""Requests that wait for a fetch, some 15 kB each; above it they are refused with 503."""

Keys = dict[tuple[str, str], Any]

notices = Notices(logging.getLogger(__name__))


class NoKeys(Exception):
    """No set could be fetched yet, or too many requests wait for the next one."""


def parse(document: Any) -> Keys:
    """The usable keys by `kid` and algorithm. Raises ValueError."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JSON Web Key Set")
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
        raise ValueError("no key for RS256, ES256 or EdDSA")
    return keys


def usable(jwk: dict[str, Any]) -> str | None:
    """The key's algorithm; None if it must not verify (symmetric, private, for encryption)."""
    algorithm = ALGORITHMS.get((str(jwk.get("kty")), jwk.get("crv") if isinstance(jwk.get("crv"), str) else None))
    operations = jwk.get("key_ops", ["verify"])
    is_public = "d" not in jwk and "k" not in jwk
    if is_public and jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations:
        return algorithm if jwk.get("alg", algorithm) == algorithm else None
    return None


class KeySet:
    """The keys of one issuer, for one event loop. `changed` is called when a known key was replaced or withdrawn."""

    def __init__(self, url: str, changed: Callable[[], object] = lambda: None) -> None:
        accept = {"Accept": "application/jwk-set+json, application/json"}
        self._client = PyJWKClient(url, cache_jwk_set=False, headers=accept, timeout=FETCH_SECONDS)
        self._changed = changed
        self._keys: Keys = {}
        self._fetching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0  # no fetch before this time.monotonic()
        self._waiting = 0

    async def find(self, kid: str, algorithm: str) -> Any:
        """The key, or None. Raises NoKeys."""
        key = self._keys.get((kid, algorithm))
        # A second wait if a fetch was in progress: the key may be younger than its result.
        for _ in range(2 if self._fetching else 1):
            if key is not None:
                break
            await self._wait()
            key = self._keys.get((kid, algorithm))
        if not self._keys:
            raise NoKeys
        return key

    async def _wait(self) -> None:
        """Waits for the next set, not counted as in flight: invented keys must not shed other requests. Raises NoKeys."""
        if self._waiting >= MAX_WAITING:
            raise NoKeys
        self._waiting += 1
        try:
            with in_flight.paused():
                await asyncio.shield(self._fetch())
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _fetch(self) -> asyncio.Task[None]:
        if self._fetching is None:
            # An empty context: its log lines must not carry a request's ID.
            self._fetching = asyncio.get_running_loop().create_task(self._refresh(), context=Context())
        return self._fetching

    async def _refresh(self) -> None:
        """Fetches after the cool-down, and schedules the next fetch. Raises nothing."""
        again = RETRY_SECONDS
        try:
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))
            async with asyncio.timeout(FETCH_SECONDS):  # the client's own time-out is for each socket operation
                self._take(parse(await asyncio.to_thread(self._client.fetch_data)))
        except (PyJWTError, ValueError, OSError) as error:
            KEY_SET_FETCHES.labels("failed").inc()
            notices.warn("AUTH_JWKS_URL gives no keys, the known ones stay", reason=str(error) or "no answer in time")
        else:
            KEY_SET_FETCHES.labels("ok").inc()
            again = REFRESH_SECONDS
        finally:
            self._fetching = None
            self._next = time.monotonic() + COOL_DOWN_SECONDS
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(again, self._fetch)

    def _take(self, keys: Keys) -> None:
        is_changed = any(keys.get(name) != key for name, key in self._keys.items())
        if keys.keys() != self._keys.keys():
            notices.warn("AUTH_JWKS_URL was read, the keys changed", keys=len(keys))
        self._keys = keys
        if is_changed:
            self._changed()
