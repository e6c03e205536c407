"""Gateways behind each kind of guard, in front of an upstream that records."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from common.http.problem import Problem
from common.observability.notices import Notices
from gateway_site.guard import api_keys, challenge, key_set, limit_store
from gateway_site.guard.principal import READ, SCOPES, WRITE, Principal
from gateway_site.guard.tokens import Tokens
from gateway_site.tests.guard.issuer import AUDIENCE, ISSUER, Issuer, issuer
from tests.recording import Recording, recording
from tests.serving import Served, serving

Start = Callable[..., AbstractContextManager[Served]]
Keys = dict[str, tuple[str, str]]
"""A key and its line in the file, by name."""


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning of an earlier test does not suppress the same one, and a busy machine does not make a limit local."""
    monkeypatch.setattr(limit_store, "TIMEOUT_SECONDS", 5.0)
    for module in (api_keys, challenge, key_set, limit_store):
        monkeypatch.setattr(module, "notices", Notices(logging.getLogger(module.__name__)))


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[Recording]:
    with recording() as running:
        yield running


@pytest.fixture
def upstream(running_upstream: Recording) -> Iterator[Recording]:
    """The upstream with nothing recorded; the answers that a test sets end with the test."""
    running_upstream.reset()
    yield running_upstream
    running_upstream.reset()


@pytest.fixture(scope="session")
def running_issuer() -> Iterator[Issuer]:
    with issuer() as running:
        yield running


@pytest.fixture
def trusted_issuer(running_issuer: Issuer) -> Iterator[Issuer]:
    """The issuer with its first keys, before and after the test."""
    running_issuer.reset()
    yield running_issuer
    running_issuer.reset()


@pytest.fixture(scope="session")
def keys() -> Keys:
    """One with all scopes, one that may only read."""
    return {
        "writer": api_keys.create("writer", frozenset({READ, WRITE}), None),
        "reader": api_keys.create("reader", frozenset({READ}), None),
    }


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    path = tmp_path_factory.mktemp("keys") / "api-keys.txt"
    path.write_text("# test keys\n\n" + "\n".join(line for _, line in keys.values()) + "\n")
    return path


@pytest.fixture(scope="session")
def start(running_upstream: Recording) -> Start:
    def starting(**settings: str) -> AbstractContextManager[Served]:
        # A busy machine must not make an answer late.
        patient = {"UPSTREAM_CONNECT_TIMEOUT_MS": "10000", "UPSTREAM_TIMEOUT_MS": "20000"}
        return serving("gateway_site", **{"USER_SERVICE_URL": running_upstream.url, **patient, **settings})

    return starting


@pytest.fixture(scope="module")
def guarded(start: Start, running_issuer: Issuer, key_file: Path) -> Iterator[Served]:
    settings = {**running_issuer.settings, "AUTH": "jwt,apikey", "AUTH_API_KEYS_FILE": str(key_file)}
    with start(**settings) as running:
        yield running


@pytest.fixture(scope="module")
def open_gateway(start: Start) -> Iterator[Served]:
    with start() as running:
        yield running


def counted(name: str, **labels: str) -> float:
    """A counter's value in this process."""
    return REGISTRY.get_sample_value(f"{name}_total", labels) or 0.0


def refusals(reason: str) -> float:
    return counted("auth_refusals", reason=reason)


@contextmanager
def refusal(reason: str, description: str) -> Iterator[None]:
    """The credential is refused with this text, and counted."""
    before = refusals(reason)
    with pytest.raises(Problem) as caught:
        yield
    challenge = f'Bearer realm="api", error="invalid_token", error_description="{description}"'
    assert (caught.value.code, caught.value.detail) == ("unauthenticated", f"{description}.")
    assert caught.value.headers == [(b"www-authenticate", challenge.encode())]
    assert refusals(reason) == before + 1


@pytest.fixture
def own_issuer() -> Iterator[Issuer]:
    with issuer() as running:
        yield running


@pytest.fixture
async def tokens(own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tokens]:
    """The verifier without a long cool-down."""
    monkeypatch.setattr(key_set, "COOL_DOWN_SECONDS", 0.05)
    url, claims = f"{own_issuer.origin}/jwks.json", ("scope", "scp")
    verifier = Tokens(url, issuer=ISSUER, audience=AUDIENCE, scope_claims=claims, known_scopes=SCOPES)
    yield verifier
    await verifier.keys.close()


async def check(tokens: Tokens, credential: str) -> Principal | str:
    """The token's owner, or the problem's code."""
    try:
        return await tokens.check(credential.encode())
    except Problem as problem:
        return problem.code
