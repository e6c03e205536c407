"""Starts `python -m tools.run` as `make run` does: on free ports, with a data directory of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tools.processes.service import free_port, listens
from tools.run.services import ROOT
from tools.run.store import EmbeddedStore

RUN = [sys.executable, "-m", "tools.run"]
SECONDS = 40
"""Longer than the start may take (30 s), so that its own error shows and not ours."""

# Empty counts as not set, and keeps a developer's own .env out.
UNSET = ("DEBUG", "REDIS_URL", "REDIS_HOST", "SECRET_KEY", "ALLOWED_HOSTS", "AUTH", "DRAIN_SECONDS", "DATA_DIR")


@dataclass
class Run:
    """A running, or ended, `tools.run`; its standard output and error go to files."""

    process: subprocess.Popen[bytes]
    gateway: int
    users: int
    redis: int
    data_dir: Path
    mark: str
    folder: Path

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def errors(self) -> list[str]:
        return (self.folder / "err").read_text().splitlines()

    def wait_ready(self) -> None:
        """Until the URLs are printed."""
        deadline = time.monotonic() + SECONDS
        while "Ready after" not in self.output:
            assert self.process.poll() is None, (self.errors, self.output)
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def stop(self, signum: signal.Signals, *, group: bool = False) -> int:
        """The exit code after a signal to the process alone, or to its group as a terminal's Ctrl-C."""
        (os.killpg if group else os.kill)(self.process.pid, signum)
        return self.process.wait(SECONDS)

    def processes(self) -> dict[int, str]:
        """Every process that descends from this run, wherever it is (Linux; elsewhere none)."""
        found = {}
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in environ.read_bytes():
                    found[int(environ.parent.name)] = (environ.parent / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def is_gone(self) -> bool:
        return not self.processes() and not any(map(listens, (self.gateway, self.users, self.redis)))


def request(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of one request."""
    answer = requests.request(method, f"http://127.0.0.1:{port}{path}", json=body, timeout=10)
    return answer.status_code, answer.json()


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a run; `settings` are added to its environment. What a test leaves running is stopped."""
    runs: list[Run] = []
    gateway, users, redis = (free_port() for _ in range(3))

    def _start(command: list[str] = RUN, cwd: Path = ROOT, **settings: str) -> Run:
        folder = tmp_path / f"run {len(runs)}"
        folder.mkdir()
        mark = f"mark-{uuid.uuid4()}"
        ports = {"GATEWAY_PORT": str(gateway), "USERS_PORT": str(users), "REDIS_PORT": str(redis)}
        data_dir = tmp_path / "data with a space"
        env = os.environ | dict.fromkeys(UNSET, "") | ports | {"DATA_DIR": str(data_dir), "DEV_RUN": mark} | settings
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=err, start_new_session=True)
        runs.append(Run(process, gateway, users, redis, data_dir, mark, folder))
        return runs[-1]

    yield _start
    for run in runs:
        if run.process.poll() is None:
            run.stop(signal.SIGTERM)
        for pid in run.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that was there before."""
    store = EmbeddedStore(free_port(), tmp_path / "own")
    process = subprocess.Popen(store.command, cwd=store.data_dir)
    with redis.Redis.from_url(store.url, retry=Retry(ConstantBackoff(0.05), 20 * SECONDS)) as client:
        client.ping()
    yield store.url
    process.terminate()
    process.wait(10)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The working tree's tracked files, in a repository of their own."""
    folder = tmp_path / "clone"
    for name in subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    return folder
