"""The commands of runbooks and of troubleshooting.md that read logs or run inside a pod, run after their faults have happened.

A stand-in for kubectl prints the log of the process that a command names, or runs what follows `--` here.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests

from deploy.tests.monitoring.test_runbook_commands import COMMANDS
from deploy.tests.programs import run
from deploy.tests.redis_server import PASSWORDS, Pod, redis_pod, shared_limit_pod
from tests.log_lines import waited_for
from tools.processes import cluster as redis_cluster
from tools.processes.service import Service, service, tree

pytestmark = pytest.mark.slow

until = partial(redis_cluster.until, pause=0.3)
"""Slow enough that the last lines of the logs still show the faults before."""

KUBECTL = """#!/bin/sh
case " $* " in
*' -- '*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
esac
for word; do
    case $word in
    name=*|--previous|wait-for-redis|*=backup) found=${word#*=} ;;
    deploy/*) found=${word#deploy/} ;;
    redis-0|redis-1|redis-pod|user-service-pod) found=${found:-$word} ;;
    esac
done
cat "$LOGS/$found.log"
"""

CASES = {
    ("AvailabilityBudgetBurn", "logs"): ['"status_code":504', '"code":"upstream-timeout"'],
    ("BackupTooOld", "logs"): ["Redis is unavailable"],
    ("BackupTooOld", "exec"): ["run verify_users --repair first"],
    ("CircuitOpen", "logs"): ['"message":"Redis is lost"'],
    ("CircuitOpen", "exec"): ["exit code 0"],
    ("HighErrorRate", "logs deploy/api-gateway"): ['"status_code":504', '"code":"upstream-unavailable"'],
    ("HighErrorRate", "logs deploy/user-service"): [
        '"status_code":503',
        '"code":"store-unavailable"',
        '"status_code":500',
    ],
    ("HighP99Latency", "exec"): ["cmdstat_zrange:"],
    ("LatencyBudgetBurn", "logs"): ['"code":"upstream-timeout"'],
    ("PartitionDown", "cluster nodes"): ["cluster support disabled"],  # here is one Redis alone
    ("PodRestartLoop", "logs"): ["REDIS_URL has a malformed host or port: write"],
    ("RateLimitStoreDown", "logs"): ["RATE_LIMIT_STORE lost, limits are local"],
    ("RateLimitStoreDown", "exec"): ["exit code 0"],
    ("RedisDown", "logs"): ["Ready to accept connections"],
    ("RedisDown", "exec"): ["PONG"],
    ("RedisInstanceDown", "logs"): ["Ready to accept connections"],
    ("RedisInstanceDown", "exec"): ["PONG"],
    ("RedisMemoryHigh", "valkey-cli"): ["used_memory:", "maxmemory:", "mem_clients_normal:"],
    ("RedisMemoryHigh", "verify_users"): ["index entry without a record"],
    ("RedisReplicationLag", "exec redis-0"): ["role:master"],
    ("RedisReplicationLag", "exec redis-1"): ["role:slave", "master_link_status:down"],
    ("RedisReplicationLag", "logs"): ["Error condition on socket for SYNC"],
    ("RoutesRefused", "logs"): ["routes refused: the old ones stay in force", "line 1: unknown field"],
    ("RoutesRefused", "exec"): ["line 1: unknown field 'prefx': did you mean prefix?"],
    ("ServiceDown", "logs"): ["REDIS_URL has a malformed host or port: write"],
    ("TargetDown", "exec"): ["200"],
    ("TargetDown", "logs"): ['"message":"Redis is lost"'],
    ("troubleshooting", "--previous"): ["REDIS_URL has a malformed host or port: write"],
    ("troubleshooting", "wait-for-redis"): ["Redis is unavailable"],
    ("troubleshooting", "ready.sh"): ["0\n"],
    ("troubleshooting", "getaddrinfo"): ["socket.gaierror"],
    ("UserRecordsDamaged", "logs deploy/user-service"): ["run verify_users"],
    ("UserRecordsDamaged", "logs redis-0"): ["Ready to accept connections"],
    **{(page, "smoke"): ["exit code 0"] for page in ("HighErrorRate", "ServiceDown", "TargetMissing")},
    **{(page, "verify_users"): ["index entry without a record"] for page in ("PartitionDown", "RedisDown")},
    ("UserRecordsDamaged", "exec"): ["index entry without a record", "record that is not a valid user"],
}
"""What the output of a page's command must contain."""

RUN_INSIDE = [command for command in COMMANDS if re.search(r" logs | exec |manage_users\.py| smoke ", command)]
"""The other commands are run by test_runbook_cluster.py."""


@dataclass
class Cluster:
    """Each process by its name in the runbooks; their logs are files of `folder`."""

    folder: Path
    redis: Pod
    replica: Pod
    limit: Pod
    users: Service
    gateway: Service

    def run(self, command: str) -> str:
        pod = self.limit if "rate-limit" in command else self.replica if "redis-1" in command else self.redis
        for there, here in (
            ("/run/secrets/redis/", f"{pod.folder}/secrets/"),
            ("/etc/redis/", f"{pod.folder}/etc/"),
            ("valkey-cli ", f"valkey-cli -p {pod.port} "),
            ("$POD", "redis-pod" if " -c redis " in command else "user-service-pod"),
            ("$PORT", str(self.users.port)),
            ("--url URL", f"--url {self.gateway.url}"),
            ("> users.ndjson", "| zcat -f"),
        ):
            command = command.replace(there, here)
        path = f"{self.folder}:{Path(sys.executable).parent}:{pod.environment['PATH']}"
        settings = {**self.users.environment, **self.gateway.environment, **pod.environment, "PATH": path, "NS": "prod"}
        settings |= {"LOGS": str(self.folder), "HOST": "", "LOG_LEVEL": "info"}
        if "routes" not in command:
            del settings["ROUTES"]  # another fault's
        done = run("bash", "-c", f"set -o pipefail; {command}", env=settings)
        return f"{done.stdout}{done.stderr}exit code {done.returncode}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = tmp_path_factory.mktemp("cluster")
    (root / "kubectl").write_text(KUBECTL)
    (root / "kubectl").chmod(0o755)
    routes = root / "routes.toml"
    with ExitStack() as stack:
        redis, replica = (
            stack.enter_context(redis_pod(tmp_path_factory.mktemp(name))) for name in ("redis", "replica")
        )
        limit = stack.enter_context(shared_limit_pod(tmp_path_factory.mktemp("limit")))
        prod = {"LOG_LEVEL": "warn"}
        store = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)}
        store["REDIS_PASSWORD_FILE"] = str(redis.folder / "secrets/password")
        users = stack.enter_context(service("users_site", root, **store, **prod))
        routes.write_text(f'[[routes]]\nprefix = "/api/users"\nupstream = "{users.url}"\nrewrite = "/users"\n')
        settings = {"ROUTES": str(routes), "USER_SERVICE_URL": users.url, "AUTH": "none", "UPSTREAM_TIMEOUT_MS": "1000"}
        limits = {"RATE_LIMIT": "1000/s", "RATE_LIMIT_STORE": f"redis://127.0.0.1:{limit.port}/0"}
        limits["RATE_LIMIT_STORE_PASSWORD_FILE"] = str(limit.folder / "secrets/rate-limit-password")
        gateway = stack.enter_context(service("gateway_site", root, **settings, **limits, **prod))
        made = Cluster(root, redis, replica, limit, users, gateway)
        damage(made)
        break_routes(made, routes)
        lose_limit(made)
        hang(made)
        lose_redis(made)
        refuse_to_start(made)
        for name, log in {
            "user-service": users.log,
            "api-gateway": gateway.log,
            "redis-0": redis.folder / "log",
            "redis-1": replica.folder / "log",
        }.items():
            (root / f"{name}.log").symlink_to(log)
        (root / "user-service-pod.log").symlink_to(users.log)
        (root / "redis-pod.log").symlink_to(redis.folder / "log")
        yield made


def damage(cluster: Cluster) -> None:
    """One user's record is deleted in the store, another's is overwritten."""
    url = f"{cluster.users.url}/users"
    names = [requests.post(url, json=user(name), timeout=5).json()["id"] for name in ("Ada", "Bo", "Cy")]
    with cluster.redis.client(PASSWORDS["operator-password"], "operator") as store:
        (bo,), (cy,) = (list(store.scan_iter(f"*user:{name}")) for name in names[1:])
        store.delete(bo)
        store.set(cy, "{bad")
    assert requests.get(f"{url}/{names[2]}", timeout=5).status_code == 500
    assert requests.get(url, timeout=5).json()["results"][0]["name"] == "Ada"


def user(name: str) -> dict[str, str]:
    return {"name": name, "email": f"{name}@example.com"}


def break_routes(cluster: Cluster, routes: Path) -> None:
    routes.write_text(routes.read_text().replace("prefix =", "prefx ="))
    assert waited_for(cluster.gateway, lambda line: line["message"].startswith("routes refused"))


def lose_limit(cluster: Cluster) -> None:
    """It is lost, and back at the end."""
    cluster.limit.kill()
    requests.get(f"{cluster.gateway.url}/api/users?limit=1", timeout=5)
    assert waited_for(cluster.gateway, lambda line: line["message"].startswith("RATE_LIMIT_STORE lost"))
    cluster.limit.start()
    cluster.limit.wait(PASSWORDS["rate-limit-password"])


def hang(cluster: Cluster) -> None:
    """The user service hangs until the circuit is open."""
    processes = tree(cluster.users.process.pid)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        until(lambda: requests.get(f"{cluster.gateway.url}/api/users?limit=1", timeout=5).status_code == 503)
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def lose_redis(cluster: Cluster) -> None:
    """It is lost while the backup runs, and back at the end. The replica has lost its primary."""
    cluster.redis.kill()
    assert requests.get(f"{cluster.users.url}/users", timeout=5).status_code == 503
    said = cluster.run("kubectl exec deploy/user-service -- python manage_users.py export_users -")
    (cluster.folder / "backup.log").write_text(said)
    said = cluster.run("kubectl exec deploy/user-service -- python manage_users.py wait_for_redis --timeout 1")
    (cluster.folder / "wait-for-redis.log").write_text(said)
    cluster.redis.start()
    cluster.redis.wait()
    until(lambda: requests.get(f"{cluster.users.url}/users?count=false", timeout=5).status_code < 503)
    until(lambda: requests.get(f"{cluster.gateway.url}/api/users?limit=1", timeout=5).status_code < 502)
    cluster.replica.client(PASSWORDS["operator-password"], "operator").replicaof("127.0.0.1", "1")
    until(lambda: "Error condition on socket for SYNC" in cluster.replica.log())


def refuse_to_start(cluster: Cluster) -> None:
    pod = Service("users_site", cluster.folder, REDIS_URL="redis://host:port")
    pod.process.wait(30)
    (cluster.folder / "--previous.log").symlink_to(pod.errors)


@pytest.mark.parametrize("command", RUN_INSIDE, ids=lambda command: command[:70])
def test_the_command_shows_the_fault(cluster: Cluster, command: str) -> None:
    said = cluster.run(command)
    for page in COMMANDS[command]:
        [expected] = [texts for (name, part), texts in CASES.items() if name == page and part in command]
        assert [text for text in expected if text not in said] == [], f"{page}: {said[-3000:]}"
