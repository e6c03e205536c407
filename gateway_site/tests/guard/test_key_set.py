"""The issuer's keys: rotated, withdrawn, invented, unreachable."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from common.observability.load import in_flight
from gateway_site.guard import key_set
from gateway_site.guard.principal import Principal
from gateway_site.guard.tokens import LEEWAY_SECONDS, Tokens
from gateway_site.tests.guard.conftest import check
from gateway_site.tests.guard.issuer import RSA_KEY, Issuer, jwk, token

pytestmark = pytest.mark.slow

NEW_KEY = rsa.generate_private_key(65537, 2048)


async def test_rotations_under_load_refuse_no_token(tokens: Tokens, own_issuer: Issuer) -> None:
    """The issuer publishes a new key and signs with it at once; later it withdraws the old one."""
    signing, is_over = [(RSA_KEY, "rsa")], asyncio.Event()
    found: list[Principal | str] = []

    async def load() -> None:
        while not is_over.is_set():
            key, kid = signing[-1]
            found.append(await check(tokens, token(key, kid=kid, sub=f"user-{len(found)}")))
            await asyncio.sleep(0)

    loads = [asyncio.create_task(load()) for _ in range(4)]
    for fetches, kid in enumerate(("new", "newer"), start=1):
        while own_issuer.fetches < fetches:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # its answer is read: a key that comes after it is asked for
        own_issuer.keys = [jwk(NEW_KEY, kid), *own_issuer.keys[:1]]
        signing.append((NEW_KEY, kid))
    while own_issuer.fetches < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    is_over.set()
    await asyncio.gather(*loads)
    assert {type(who) for who in found} == {Principal}
    assert own_issuer.fetches == 3
    assert own_issuer.accepted == "application/jwk-set+json, application/json"


async def test_a_crowd_with_a_new_key_waits_for_it_and_is_not_in_flight(tokens: Tokens, own_issuer: Issuer) -> None:
    """No valid token is refused, and no other request is shed meanwhile."""
    assert isinstance(await check(tokens, token()), Principal)
    own_issuer.keys = [jwk(NEW_KEY, "new")]
    own_issuer.open.clear()
    new = token(NEW_KEY, kid="new")
    in_flight.count = 300
    waiting = [asyncio.create_task(check(tokens, new)) for _ in range(300)]
    while own_issuer.fetches < 2:
        await asyncio.sleep(0.01)
    assert in_flight.count == 0
    own_issuer.open.set()
    found = await asyncio.gather(*waiting)
    assert {type(who) for who in found} == {Principal}
    assert in_flight.count == 300
    in_flight.count = 0


async def test_beyond_a_bound_requests_are_refused_with_503(tokens: Tokens, own_issuer: Issuer) -> None:
    assert isinstance(await check(tokens, token()), Principal)
    own_issuer.open.clear()
    invented = token(kid="invented")
    waiting = [asyncio.create_task(check(tokens, invented)) for _ in range(1024)]
    while own_issuer.fetches < 2:
        await asyncio.sleep(0.01)
    assert await check(tokens, token(kid="one more")) == "upstream-unavailable"
    assert isinstance(await check(tokens, token(sub="known key")), Principal)
    own_issuer.open.set()
    assert set(await asyncio.gather(*waiting)) == {"unauthenticated"}


async def test_invented_kids_cause_few_fetches(tokens: Tokens, own_issuer: Issuer) -> None:
    guesses = [check(tokens, token(kid=f"invented-{number}")) for number in range(100)]
    assert set(await asyncio.gather(*guesses)) == {"unauthenticated"}
    assert own_issuer.fetches == 2
    began = time.monotonic()
    for number in range(4):
        assert await check(tokens, token(kid=f"another-{number}")) == "unauthenticated"
    assert time.monotonic() - began >= 3 * key_set.COOL_DOWN_SECONDS


@pytest.mark.parametrize(
    "kid",
    ["", "../../../../dev/null", "/etc/passwd", "rsa\0", "RSA", "rsa ", "' OR '1'='1", "http://127.0.0.1/", "k" * 4000],
)
async def test_a_kid_is_a_name_and_nothing_else(tokens: Tokens, own_issuer: Issuer, kid: str) -> None:
    assert isinstance(await check(tokens, token()), Principal)
    assert await check(tokens, token(headers={"kid": kid})) == "unauthenticated"
    assert own_issuer.fetches == 2


async def test_a_withdrawn_key_ends_its_tokens(tokens: Tokens, own_issuer: Issuer) -> None:
    old = token()
    assert isinstance(await check(tokens, old), Principal)
    own_issuer.keys = [jwk(NEW_KEY, "new")]
    assert isinstance(await check(tokens, token(NEW_KEY, kid="new")), Principal)
    await asyncio.sleep(0.1)
    assert await check(tokens, old) == "unauthenticated"


async def test_a_key_replaced_under_its_kid_ends_its_tokens(tokens: Tokens, own_issuer: Issuer) -> None:
    old = token()
    assert isinstance(await check(tokens, old), Principal)
    own_issuer.keys = [jwk(NEW_KEY, "rsa"), jwk(NEW_KEY, "new")]
    assert isinstance(await check(tokens, token(NEW_KEY, kid="new")), Principal)
    assert await check(tokens, old) == "unauthenticated"


async def test_a_cached_token_still_expires(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = token(exp=time.time() + 60)
    assert isinstance(await check(tokens, credential), Principal)
    monkeypatch.setattr(tokens.keys, "find", None)
    for seconds in (-2, 2):
        now = time.time() + 60 + LEEWAY_SECONDS + seconds
        monkeypatch.setattr("gateway_site.guard.tokens.time", SimpleNamespace(time=lambda now=now: now))
        assert isinstance(await check(tokens, credential), Principal) is (seconds < 0)


async def test_the_cache_of_tokens_has_at_most_4_mib(tokens: Tokens) -> None:
    tokens._forget()
    for number in range(750):
        assert isinstance(await check(tokens, token(sub=f"user-{number}", padding="x" * 4100)), Principal)
    assert 4 << 20 >= sum(map(len, tokens._cache)) == tokens._cached_bytes > (4 << 20) - 6144
