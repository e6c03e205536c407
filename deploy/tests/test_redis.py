"""The store as its manifests start it: permissions, the password's place, the probes' answers."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis
import requests
from redis.exceptions import NoPermissionError

from deploy.tests.programs import run, succeeded
from deploy.tests.redis_server import PASSWORDS, Pod, redis_pod, shared_limit_pod
from tools.processes.cluster import until
from tools.processes.service import service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with redis_pod(tmp_path_factory.mktemp("redis")) as running:
        yield running


def connection(pod: Pod) -> dict[str, str]:
    secret = pod.folder / "secrets" / "password"
    return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(pod.port), "REDIS_PASSWORD_FILE": str(secret)}


COMMANDS = """
import sys
import django
from django.core.management import call_command
file = sys.argv[1]
django.setup()
call_command("seed_users", count=50)
call_command("export_users", file)
call_command("import_users", file, on_conflict="replace")
call_command("verify_users", repair=True)
call_command("seed_users", count=0, clear=True, yes=True, production=True)
call_command("import_users", file)
"""


@pytest.mark.parametrize("partitions", ["1", "16"])
def test_the_user_service_does_all_its_work_with_the_rights_it_has(tmp_path: Path, partitions: str):
    (tmp_path / "redis").mkdir()
    with redis_pod(tmp_path / "redis") as pod:
        does_all_its_work(tmp_path, connection(pod) | {"PARTITIONS": partitions})


def does_all_its_work(tmp_path: Path, settings: dict[str, str]) -> None:
    """Every request, and every command that stays within one store."""
    works(tmp_path, settings)
    file = tmp_path / "users.ndjson"
    environment = {**os.environ, "REDIS_URL": "", "DJANGO_SETTINGS_MODULE": "users_site.settings", **settings}
    succeeded(run(sys.executable, "-c", COMMANDS, file, env=environment))


def works(tmp_path: Path, settings: dict[str, str]) -> None:
    with service("users_site", tmp_path, **settings) as running, requests.Session() as client:
        until(lambda: client.get(f"{running.url}/health/ready", timeout=5).ok)
        body = {"name": "Ada", "email": "ada@example.com"}
        made = client.post(f"{running.url}/users", json=body, timeout=5)
        assert made.status_code == 201, made.text
        path = f"{running.url}/users/{made.json()['id']}"
        assert client.get(path, timeout=5).status_code == 200
        assert client.get(f"{running.url}/users?email=ADA@example.com", timeout=5).json()["count"] == 1
        assert client.patch(path, json={"name": "Ada L."}, timeout=5).status_code == 200
        assert client.put(path, json={**body, "email": "ada@example.org"}, timeout=5).status_code == 200
        assert client.get(f"{running.url}/users?limit=1", timeout=5).json()["count"] == 1
        assert "users_total 1.0" in client.get(f"{running.url}/metrics", timeout=5).text
        assert client.delete(path, timeout=5).status_code == 204


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "CONFIG GET *", "CONFIG SET maxmemory 0", "KEYS *", "SHUTDOWN", "ACL LIST", "MONITOR",
     "REPLICAOF 127.0.0.1 1", "SCRIPT FLUSH", "CLIENT KILL TYPE normal", "SAVE", "MODULE LIST", "SUBSCRIBE x"],
)  # fmt: skip
def test_dangerous_command_is_refused(pod: Pod, command: str):
    with pytest.raises(NoPermissionError):
        pod.client().execute_command(*command.split())


def test_foreign_key_is_refused(pod: Pod):
    with pytest.raises(NoPermissionError):
        pod.client().set("another", "value")
    with pytest.raises(NoPermissionError):
        pod.client().eval("return redis.call('GET', KEYS[1])", 1, "another")


def test_nothing_is_answered_without_the_password(pod: Pod):
    with pytest.raises(redis.AuthenticationError):
        pod.client(password=None).get("{users:0}:ids")


def test_operator_may_do_everything(pod: Pod):
    client = pod.client(PASSWORDS["operator-password"], "operator")
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_password_is_on_no_command_line_in_no_environment_and_in_no_file_but_the_secret(pod: Pod):
    assert pod.process is not None
    for name in ("cmdline", "environ"):
        assert PASSWORDS["password"].encode() not in Path(f"/proc/{pod.process.pid}/{name}").read_bytes()
    written = [file for file in pod.folder.rglob("*") if file.is_file() and file.parent.name != "secrets"]
    assert [file for file in written if PASSWORDS["password"].encode() in file.read_bytes()] == []


def test_ready_and_live_when_it_serves(pod: Pod):
    assert pod.run("ready.sh").returncode == 0
    assert pod.run("live.sh").returncode == 0


def test_not_ready_but_alive_when_the_password_is_another(pod: Pod):
    secret = pod.folder / "secrets" / "password"
    right = secret.read_text(encoding="utf-8")
    secret.write_text("wrong", encoding="utf-8")
    try:
        assert pod.run("ready.sh").returncode != 0
        assert pod.run("live.sh").returncode == 0
    finally:
        secret.write_text(right, encoding="utf-8")


def test_neither_ready_nor_alive_when_it_is_gone(tmp_path: Path):
    with redis_pod(tmp_path) as mortal:
        mortal.kill()
        assert mortal.run("ready.sh").returncode != 0
        assert mortal.run("live.sh").returncode != 0


@pytest.mark.parametrize(
    ("start", "key", "secret"),
    [(redis_pod, "password", "redis-auth"), (shared_limit_pod, "rate-limit-password", "api-gateway-secrets")],
)
def test_empty_password_stops_the_start_with_the_cure(
    tmp_path: Path, start: Callable[[Path], AbstractContextManager[Pod]], key: str, secret: str
):
    with start(tmp_path) as mortal:
        mortal.kill()
        (mortal.folder / "secrets" / key).write_text("\n", encoding="utf-8")
        mortal.start()
        assert mortal.process is not None
        assert mortal.process.wait(20) != 0
        assert f"fill that key of the Secret {secret}" in mortal.log()
