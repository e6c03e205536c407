"""deploy/compose.yaml with the images of this build: everything starts, and the gateway serves."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from deploy.tests.images.conftest import DEPLOY, ENGINE, TAG, wait_until_ready
from deploy.tests.programs import run
from tools.processes.service import free_port

FILE = DEPLOY / "compose.yaml"


def store(folder: Path) -> list[str]:
    """Where the image of Valkey cannot be pulled: a second file, with the store of these tests instead."""
    image = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]["redis"]["image"]
    if run(ENGINE, "pull", "--quiet", image).returncode == 0:
        return []
    file = folder / "store.yaml"
    answers = ["CMD", "python", "-c", "import socket; socket.create_connection(('127.0.0.1', 6379))"]  # no valkey-cli
    image = f"devops-challenge/store:{TAG}"
    services = {"redis": {"image": image, "healthcheck": {"test": answers}}, "volume": {"image": image}}
    file.write_text(json.dumps({"services": services}), encoding="utf-8")
    return ["--file", str(file)]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if TAG != "local":
        pytest.skip("compose.yaml runs the images tagged `local`")
    port = free_port()
    project = f"compose-{uuid.uuid4().hex[:8]}"
    command = (ENGINE, "compose") if run(ENGINE, "compose", "version").returncode == 0 else ("podman-compose",)
    compose = (*command, "--file", FILE, *store(tmp_path), "--project-name", project)
    environment = {**os.environ, "GATEWAY_PORT": str(port)}
    try:
        started = run(*compose, "up", "--detach", "--no-build", env=environment)
        assert started.returncode == 0, started.stderr + run(*compose, "logs", env=environment).stdout
        wait_until_ready(url := f"http://localhost:{port}")
        yield url
    finally:
        run(*compose, "down", "--volumes", "--timeout", "20", env=environment)


def test_compose_serves_users(url: str):
    answer = requests.post(f"{url}/api/users", json={"name": "Ada", "email": "ada@example.com"}, timeout=10)
    assert answer.status_code == 201, answer.text
    assert requests.get(f"{url}{answer.headers['Location']}", timeout=10).json()["name"] == "Ada"
