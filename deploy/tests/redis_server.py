"""The store's own scripts and configuration, run for real: the wheel's Valkey under start.sh, as in the pod."""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.tests.programs import run
from tools.processes.service import free_port
from tools.processes.valkey import valkey_server

DEPLOY = Path(__file__).resolve().parents[1]
BASE = DEPLOY / "kustomize" / "base" / "redis"
SHARED_LIMIT = DEPLOY / "kustomize" / "components" / "shared-rate-limit"
PASSWORDS = {
    "password": 'p"a\\ss word',
    "operator-password": "operator",
    "replication-password": 'r"e\\pl',
    "rate-limit-password": "l/i@mit",
}
START_SECONDS = 90
"""A server whose data is lost waits for an election: up to 20 s after the last failover (2 × failover-timeout)."""

# The wheel has the server only; this is the part of the client that the scripts use. sh hands the first lines to Python,
# which reads them as a text: a path with a space cannot be an interpreter's.
CLIENT = f"""#!/bin/sh
'''exec' "{sys.executable}" -I -S "$0" "$@"
' '''
import os, socket, sys
words, options = sys.argv[1:], {{"-h": "127.0.0.1", "-p": "6379", "--user": "default"}}
while words and words[0] in options:
    options[words[0]], words = words[1], words[2:]
hosts = dict(line.split() for line in open(os.environ["HOSTS"])) if "HOSTS" in os.environ else {{}}
try:
    connection = socket.create_connection((hosts.get(options["-h"], options["-h"]), int(options["-p"])), 2)
except OSError as error:
    sys.exit(f"Could not connect: {{error}}")
stream = connection.makefile("rwb")

def send(*words):
    stream.write(b"*%d\\r\\n" % len(words))
    for word in map(os.fsencode, words):
        stream.write(b"$%d\\r\\n%s\\r\\n" % (len(word), word))
    stream.flush()

def receive():
    line = stream.readline().rstrip().decode()
    if line[:1] == "*":
        return [part for _ in range(max(0, int(line[1:]))) for part in receive()]
    if line[:1] == "$":
        return [] if line == "$-1" else [stream.read(int(line[1:]) + 2)[:-2].decode()]
    return [line[1:]]

if os.environ.get("REDISCLI_AUTH"):
    send("AUTH", options["--user"], os.environ["REDISCLI_AUTH"])
    receive()
send(*words)
print("\\n".join(receive()))
"""


@dataclass
class Pod:
    folder: Path
    port: int
    environment: dict[str, str]
    script: str
    process: subprocess.Popen[bytes] | None = None
    host: str = "127.0.0.1"

    def configure(self, old: str, new: str) -> None:
        """Replaces a text of its configuration."""
        config = self.folder / "etc" / "redis.conf"
        config.write_text(config.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = ["sh", str(self.folder / "etc" / self.script)]
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a probe's script, as the kubelet does."""
        return run("sh", self.folder / "etc" / script, *words, env=self.environment)

    def client(self, password: str | None = PASSWORDS["password"], username: str | None = None) -> redis.Redis:
        return redis.Redis(
            host=self.host,
            port=self.port,
            username=username,
            password=password,
            socket_timeout=5,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
        )

    def wait(self, password: str | None = PASSWORDS["password"]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                self.client(password).ping()
            except redis.RedisError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(self.log())

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(START_SECONDS)


def _binaries(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    client = folder / "valkey-cli"
    if not client.exists():
        client.write_text(CLIENT, encoding="utf-8")
        client.chmod(client.stat().st_mode | stat.S_IXUSR)
        for name in ("valkey-server", "valkey-sentinel"):
            (folder / name).symlink_to(valkey_server())
    return f"{folder}:{os.environ['PATH']}"


def made_pod(root: Path, name: str, port: int, script: str, sources: tuple[Path, ...], **environment: str) -> Pod:
    folder = root / name
    for each in ("etc", "run", "data", "secrets"):
        (folder / each).mkdir(parents=True)
    for source in sources:
        for file in (*source.glob("*.sh"), *source.glob("*.conf")):
            shutil.copy2(file, folder / "etc")
    for key, password in PASSWORDS.items():
        (folder / "secrets" / key).write_text(password + "\n", encoding="utf-8")
    paths = {"SECRETS": "secrets", "RUN": "run", "DATA": "data", "CONFIG": "etc/redis.conf"}
    variables = {key: str(folder / path) for key, path in paths.items()}
    pod = Pod(folder, port, {"PATH": _binaries(root / "bin"), "PORT": str(port), **variables, **environment}, script)
    if (folder / "etc" / "redis.conf").exists():
        pod.configure("port 6379", f"port {port}")
        pod.configure("bind * -::*", "bind 127.0.0.1")
        pod.configure("/run/redis/users.acl", str(folder / "run" / "users.acl"))
        pod.configure("dir /data", f"dir {folder}/data")
    return pod


@contextmanager
def _running(pod: Pod, password: str) -> Iterator[Pod]:
    try:
        pod.start()
        pod.wait(PASSWORDS[password])
        yield pod
    finally:
        pod.kill()


def redis_pod(root: Path) -> AbstractContextManager[Pod]:
    return _running(made_pod(root, "redis", free_port(), "start.sh", (BASE,)), "password")


def shared_limit_pod(root: Path, memory: str = "32mb") -> AbstractContextManager[Pod]:
    """The component's store of the rate limit."""
    pod = made_pod(root, "rate-limit", free_port(), "start.sh", (SHARED_LIMIT,))
    pod.configure("maxmemory 32mb", f"maxmemory {memory}")
    return _running(pod, "rate-limit-password")


def wiped(pod: Pod) -> Pod:
    """A stopped pod that has lost its disk."""
    shutil.rmtree(pod.folder / "data")
    (pod.folder / "data").mkdir()
    return pod
