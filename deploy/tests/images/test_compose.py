"""deploy/compose.yaml with the images of this build: everything starts, and the gateway serves."""

import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest
import requests

from deploy.tests.images.conftest import DEPLOY, ENGINE, TAG
from tools.processes.service import free_port


@pytest.fixture
def url() -> Iterator[str]:
    """The gateway's URL while everything runs."""
    if subprocess.run([ENGINE, "compose", "version"], capture_output=True, timeout=30, check=False).returncode:
        pytest.skip(f"{ENGINE} has no command compose")
    if TAG != "local":
        pytest.skip("compose.yaml runs the images tagged `local`")
    port = free_port()
    compose = [
        ENGINE,
        "compose",
        "--file",
        DEPLOY / "compose.yaml",
        "--project-name",
        f"compose-{uuid.uuid4().hex[:8]}",
    ]
    environment = {**os.environ, "GATEWAY_PORT": str(port)}
    try:
        subprocess.run([*compose, "up", "--detach", "--wait", "--no-build"], env=environment, timeout=180, check=True)
        yield f"http://localhost:{port}"
    finally:
        subprocess.run([*compose, "down", "--volumes", "--timeout", "20"], env=environment, timeout=120, check=False)


def test_compose_serves_users(url: str):
    answer = requests.post(f"{url}/api/users", json={"name": "Ada", "email": "ada@example.com"}, timeout=10)
    assert answer.status_code == 201, answer.text
    assert requests.get(answer.headers["Location"], timeout=10).json()["name"] == "Ada"
