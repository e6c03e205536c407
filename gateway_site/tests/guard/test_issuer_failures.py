"""An issuer that hangs, fails or answers nonsense; and when its keys are fetched again."""

import asyncio
import json
import time
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from common.observability import request_id
from common.observability.json_logging import JSONFormatter
from gateway_site.guard import key_set
from gateway_site.guard.key_set import KeySet, fetch
from gateway_site.guard.principal import Principal
from gateway_site.guard.tokens import Tokens
from gateway_site.tests.guard.conftest import check, counted
from gateway_site.tests.guard.issuer import Issuer, jwk, token
from tests.http_server import Handler, http_server
from tests.in_process import built, call

pytestmark = pytest.mark.slow

fetches = partial(counted, "auth_key_set_fetches")
NEW_KEY = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(("status", "interval"), [(200, "REFRESH_SECONDS"), (500, "RETRY_SECONDS")])
async def test_keys_are_fetched_again_without_a_request(
    tokens: Tokens, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch, status: int, interval: str
) -> None:
    monkeypatch.setattr(key_set, interval, 0.05)
    own_issuer.status, before = status, fetches(outcome="ok")
    credential = token()
    await check(tokens, credential)
    async with asyncio.timeout(5):
        while own_issuer.fetches < 4:
            await asyncio.sleep(0.01)
    assert (fetches(outcome="ok") > before) is (status == 200)
    monkeypatch.setattr(tokens.keys, "find", None)
    assert isinstance(await check(tokens, credential), Principal) is (status == 200), "it stays in the cache"


def test_a_fetch_from_an_issuer_that_hangs_times_out(own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 0.2)
    own_issuer.open.clear()
    with pytest.raises(TimeoutError):
        fetch(f"{own_issuer.origin}/jwks.json")


async def test_a_fetch_from_an_issuer_that_drips_times_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 0.2)

    class Dripping(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            for _ in range(20):
                time.sleep(0.1)
                self.wfile.write(b" ")
                self.wfile.flush()

    with http_server(Dripping) as origin:
        keys = KeySet(origin)
        async with asyncio.timeout(1.5):
            with pytest.raises(key_set.NoKeys):
                await keys.find("rsa", "RS256")
        await keys.close()
    assert caplog.records[0].__dict__["fields"] == {"reason": "no answer in time"}


async def test_a_gateway_that_stops_cancels_its_fetch(own_issuer: Issuer) -> None:
    own_issuer.open.clear()
    credential = (b"authorization", b"Bearer " + token().encode())
    with built("gateway_site", **own_issuer.settings) as gateway:
        asking = asyncio.create_task(call(gateway, "/api/users", headers=(credential,)))
        async with asyncio.timeout(5):
            while not own_issuer.fetches:
                await asyncio.sleep(0.01)
        for stop in gateway.on_stop:
            await stop()
    await asyncio.wait([asking], timeout=1)
    own_issuer.open.set()
    assert asking.cancelled()


@pytest.mark.parametrize(
    ("status", "body"), [(500, None), (200, b""), (200, b"[]"), (200, b"{}"), (200, b"<html>"), (200, b"\xff")]
)
async def test_the_last_keys_stay_while_the_issuer_gives_none(
    tokens: Tokens, own_issuer: Issuer, caplog: pytest.LogCaptureFixture, status: int, body: bytes | None
) -> None:
    caplog.handler.setFormatter(JSONFormatter("any", "1"))
    assert isinstance(await check(tokens, token()), Principal)
    own_issuer.status, own_issuer.body = status, body
    request_id.current.set("the first request")
    before = fetches(outcome="failed"), fetches(outcome="ok")
    assert await check(tokens, token(kid="unknown")) == "unauthenticated"
    read, failed, _ = map(json.loads, caplog.text.splitlines())
    assert (read["message"].partition(",")[0], read["keys"]) == ("AUTH_JWKS_URL was read", 3)
    assert failed["message"] == "AUTH_JWKS_URL gives no keys, the known ones stay"
    assert failed["reason"] not in {None, "None", "", "no answer in time"}
    assert (fetches(outcome="failed"), fetches(outcome="ok")) == (before[0] + 1, before[1])
    assert "request_id" not in failed, "the line belongs to no request"
    assert isinstance(await check(tokens, token(sub="other")), Principal)


async def test_a_large_document_is_refused(tokens: Tokens, own_issuer: Issuer) -> None:
    own_issuer.body = json.dumps({"keys": [jwk(NEW_KEY, "new")]}).encode().ljust(key_set.MAX_DOCUMENT_BYTES + 1)
    assert await check(tokens, token(NEW_KEY, kid="new")) == "upstream-unavailable"
    own_issuer.body = own_issuer.body[:-1]
    assert isinstance(await check(tokens, token(NEW_KEY, kid="new")), Principal)


async def test_a_redirect_is_not_followed(tokens: Tokens, own_issuer: Issuer) -> None:
    own_issuer.status = 302
    assert await check(tokens, token()) == "upstream-unavailable"
