"""The generated clients at the running pair (`make verify-clients`): each compiles, and its example prints the expected
lines."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway_site.guard import api_keys
from gateway_site.guard.principal import SCOPES
from tools.clients.__main__ import CLIENTS, TARGET, main, missing
from tools.processes.service import Service, service

pytestmark = [pytest.mark.verify, pytest.mark.timeout(900)]

EXAMPLES = {
    "python": ([sys.executable, "example.py"], "email-taken"),
    "typescript": (["node", "dist/example.js"], "email-taken"),
    "go": (["example/example"], "precondition-failed"),
    "java": (["java", "-cp", "target/classes:target/dependency/*", "com.example.users.Example"], "precondition-failed"),
}
"""How an example runs in its folder, and the problem that it prints."""


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    """All clients, as `make client` makes them."""
    assert main() == 0


def run(command: list[str], folder: str, gateway: Service, token: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GATEWAY": gateway.url, "TOKEN": token}
    return subprocess.run(
        command, cwd=TARGET / folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, users_service: Service) -> Iterator[tuple[Service, str]]:
    """A gateway that requires a credential, and a credential."""
    folder = tmp_path_factory.mktemp("guarded")
    key, line = api_keys.create("client", SCOPES, None)
    (folder / "keys").write_text(line)
    settings = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(folder / "keys"), "USER_SERVICE_URL": users_service.url}
    with service("gateway_site", folder, **settings) as running:
        yield running, key


def test_every_client_has_an_example() -> None:
    assert EXAMPLES.keys() == CLIENTS.keys()


@pytest.mark.parametrize("language", EXAMPLES)
def test_an_example_of_the_docs_works_with_a_key(guarded: tuple[Service, str], language: str) -> None:
    if lacking := missing(language):
        pytest.skip(f"needs {' and '.join(lacking)}")
    command, problem = EXAMPLES[language]
    gateway, key = guarded
    done = run(command, language, gateway, key)
    assert done.returncode == 0, done.stderr
    assert problem in done.stdout
    assert run(command, language, gateway, "ugk_wrong").returncode != 0


def test_hey_api_sends_one_credential_in_both_schemes_and_is_let_in(guarded: tuple[Service, str]) -> None:
    if missing("typescript"):
        pytest.skip("needs npm")
    gateway, key = guarded
    done = run(["node", "dist/hey-api.js"], "typescript", gateway, key)
    assert done.returncode == 0, done.stderr
