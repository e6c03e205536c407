"""The issuer's public keys (RFC 7517), fetched in a thread; while the issuer is unreachable, the last ones stay.

An unknown `kid` may name a rotated key or none; only a fetch decides. Fetches are one at a time and COOL_DOWN_SECONDS
apart; requests with an unknown key wait for the next one. Keys are stored by `kid` *and* algorithm, so no token can use
a key with another algorithm.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from http.client import HTTPException
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from common.observability.load import in_flight
from common.observability.notices import Notices
from gateway_site.guard.metrics import KEY_SET_FETCHES

KINDS = {"RS256": RSAPublicKey, "ES256": EllipticCurvePublicKey, "EdDSA": Ed25519PublicKey}
"""The accepted algorithms and their types of keys: a private or symmetric key must not verify."""

LEAST_RSA_BITS = 2048
"""RFC 7518 §3.3."""

FETCH_SECONDS = 2.0
MAX_DOCUMENT_BYTES = 1 << 20
REFRESH_SECONDS = 300.0
"""The longest time for which a withdrawn key stays valid."""
RETRY_SECONDS = 15.0
COOL_DOWN_SECONDS = 2.0
MAX_WAITING = 1024
"""Requests that may wait for a fetch, some 15 kB each; further ones are 503."""

Keys = dict[tuple[str, str], Any]

notices = Notices(logging.getLogger(__name__))


class NoKeys(Exception):
    """No set has been fetched yet, or too many requests wait for the next one."""


class _NoRedirect(HTTPRedirectHandler):
    """An issuer must not send the gateway to another address."""

    def redirect_request(self, *args: Any) -> None:
        return None


def fetch(url: str) -> Any:
    """The document at `url`; through a proxy if the environment names one. Raises ValueError, OSError, HTTPException."""
    accept = {"Accept": "application/jwk-set+json, application/json"}
    request = Request(url, headers=accept)  # noqa: S310 - the settings accept http and https only
    with build_opener(_NoRedirect).open(request, timeout=FETCH_SECONDS) as answer:
        body = answer.read(MAX_DOCUMENT_BYTES + 1)  # PyJWKClient would read any size
    if len(body) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"it is larger than {MAX_DOCUMENT_BYTES} bytes")
    return orjson.loads(body)


def parse(document: Any) -> Keys:
    """The usable keys by `kid` and algorithm. Raises ValueError."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JSON Web Key Set")
    keys: Keys = {}
    for jwk in listed:
        with suppress(PyJWTError, ValueError, TypeError, AttributeError):
            verifier = PyJWK(jwk)
            if is_usable(verifier, jwk):
                keys[jwk["kid"], verifier.algorithm_name] = verifier.key
    if not keys:
        raise ValueError("no key for RS256, ES256 or EdDSA")
    return keys


def is_usable(verifier: PyJWK, jwk: dict[str, Any]) -> bool:
    """Whether the key is a public one for signatures of an accepted algorithm. Raises TypeError for a malformed `key_ops`."""
    return (
        isinstance(verifier.key_id, str)
        and jwk.get("use", "sig") == "sig"
        and "verify" in jwk.get("key_ops", ["verify"])
        and isinstance(verifier.key, KINDS.get(verifier.algorithm_name, ()))
        and not (isinstance(verifier.key, RSAPublicKey) and verifier.key.key_size < LEAST_RSA_BITS)
    )


class KeySet:
    """The keys of one issuer, for one event loop. `changed` is called when a known key was replaced or withdrawn."""

    def __init__(self, url: str, changed: Callable[[], object] = lambda: None) -> None:
        self._url, self._changed = url, changed
        self._keys: Keys = {}
        self._fetching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0  # no fetch before this time.monotonic()
        self._waiting = 0

    async def find(self, kid: str, algorithm: str) -> Any:
        """The key, or None. Raises NoKeys."""
        key = self._keys.get((kid, algorithm))
        # If a fetch was in progress, wait a second time: the key may be newer than its result.
        for _ in range(2 if self._fetching else 1):
            if key is not None:
                break
            await self._wait()
            key = self._keys.get((kid, algorithm))
        if not self._keys:
            raise NoKeys
        return key

    async def _wait(self) -> None:
        """Waits for the next set, not counted as in flight: requests with invented keys must not cause others to be
        shed. Raises NoKeys."""
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
            async with asyncio.timeout(FETCH_SECONDS):  # the socket's time-out is for each operation
                self._take(parse(await asyncio.to_thread(fetch, self._url)))
        except (ValueError, OSError, HTTPException) as error:
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
