"""Both services and a store in containers, as restricted as their pods. `deploy/bin/images.sh` builds them and runs this."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.tests.programs import run

DEPLOY = Path(__file__).resolve().parents[2]
TAG = os.environ.get("IMAGES")
ENGINE = os.environ.get("ENGINE", "docker")
RESTRICTED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=256m", "--tmpfs=/tmp"]
START_SECONDS = 60
NAMES = ("api-gateway", "user-service", "redis")

collect_ignore_glob = [] if TAG else ["*"]  # no images, no tests of images


def engine(*words: object, check: bool = True) -> str:
    done = run(ENGINE, *words)
    if check and done.returncode:
        raise RuntimeError(f"{ENGINE} {words}: {done.stderr}")
    return done.stdout.strip()


def inspect(what: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine(what, "inspect", name))[0]
    return found


def wait_until_ready(url: str) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/health/ready", timeout=2).ok:
                return
        time.sleep(0.2)
    raise TimeoutError


class System:
    def __init__(self, folder: Path) -> None:
        self.name = f"users-gateway-{uuid.uuid4().hex[:8]}"
        self.secrets = folder
        for name, value in {"password": "a password", "secret-key": "k" * 50}.items():
            (folder / name).write_text(value, encoding="utf-8")
            (folder / name).chmod(0o444)
        folder.chmod(0o755)

    def __enter__(self) -> "System":
        engine("network", "create", self.name)
        self.run("store", "redis", "--tmpfs=/data:mode=1777", "--tmpfs=/run/redis:mode=1777")
        self.run("user-service", "user-service", *self.settings("users"))
        self.run("api-gateway", "api-gateway", "--publish=127.0.0.1::3000", *self.settings("gateway"))
        try:
            self.wait()
        except RuntimeError:
            self.__exit__()
            raise
        return self

    def wait(self) -> None:
        """Returns when the gateway is ready. Docker publishes another port at each start."""
        port = engine("port", self.container("api-gateway"), "3000").rpartition(":")[2]
        self.url = f"http://localhost:{port}"  # a name of ALLOWED_HOSTS
        try:
            wait_until_ready(self.url)
        except TimeoutError as error:
            logs = "".join(engine("logs", self.container(name), check=False)[-2000:] for name in NAMES)
            raise RuntimeError(f"not ready: {logs}") from error

    def __exit__(self, *_: object) -> None:
        for name in NAMES:
            engine("rm", "--force", self.container(name), check=False)
        engine("network", "rm", self.name, check=False)

    def settings(self, folder: str) -> list[str]:
        """The manifests' settings, and the secrets as mounted files."""
        values = [
            "AUTH=none",
            "SECRET_KEY_FILE=/run/secrets/redis/secret-key",
            "REDIS_PASSWORD_FILE=/run/secrets/redis/password",
        ]
        return [f"--env-file={DEPLOY}/kustomize/base/{folder}/settings.env", *(f"--env={each}" for each in values)]

    def run(self, image: str, name: str, *options: str) -> None:
        place = ["--network", self.name, "--network-alias", name, "--hostname", name]
        secrets = ["--volume", f"{self.secrets}:/run/secrets/redis:ro"]
        image = f"devops-challenge/{image}:{TAG}"
        engine("run", "--detach", "--name", self.container(name), *place, *RESTRICTED, *secrets, *options, image)

    def container(self, name: str) -> str:
        return f"{self.name}-{name}"


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("secrets")) as running:
        yield running
