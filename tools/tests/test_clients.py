"""The generated clients at the running pair (`make verify-clients`): each does what its exercise says, and type-checks."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from gateway_site.guard import api_keys
from gateway_site.guard.principal import SCOPES
from tools.clients.__main__ import SOURCES, TARGET, main
from tools.testing.service import Service, service
from tools.testing.tools import require

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    """Both, as `make client` makes them: with mypy --strict and tsc --strict."""
    require("Node.js 18 or newer", "npm")
    assert main() == 0


def exercise(*command: str, **environment: str) -> str:
    """What an exercise says."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, users_service: Service) -> Iterator[tuple[Service, str]]:
    """A gateway that wants a credential, and one."""
    folder = tmp_path_factory.mktemp("guarded")
    key, line = api_keys.create("client", SCOPES, None)
    (folder / "keys").write_text(line)
    settings = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(folder / "keys"), "USER_SERVICE_URL": users_service.url}
    with service("gateway_site", folder, **settings) as running:
        yield running, key


def python(url: str, **environment: str) -> str:
    """The exercise of the Python client."""
    return exercise(sys.executable, str(SOURCES / "exercise.py"), url, PYTHONPATH=str(TARGET / "python"), **environment)


def typescript(url: str, **environment: str) -> str:
    """The exercise of the TypeScript client."""
    return exercise("node", str(TARGET / "typescript" / "dist" / "exercise.js"), url, **environment)


CLIENTS = pytest.mark.parametrize(
    ("run", "said"), [(python, "the Python client works\n"), (typescript, "the TypeScript client works\n")]
)


@CLIENTS
def test_a_client_works(gateway_service: Service, run: Callable[..., str], said: str) -> None:
    assert run(gateway_service.url) == said


@CLIENTS
def test_a_client_sends_its_credential(guarded: tuple[Service, str], run: Callable[..., str], said: str) -> None:
    gateway, key = guarded
    assert run(gateway.url, TOKEN=key) == said
    with pytest.raises(AssertionError, match=r"401|credential|not known"):
        run(gateway.url, TOKEN="ugk_wrong")
