"""Prometheus with our rules, and Alertmanager, for the services that run on this machine: `make observe`,
that is `python -m deploy.monitoring.observe`.

Ports come from GATEWAY_PORT, USERS_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT; REDIS_EXPORTER_PORT adds a redis_exporter.
ALERT_WEBHOOK_URL receives the alerts, if set. Data stays in `.data/observe`. Ctrl-C and SIGTERM stop both.
Exit codes: 0 stopped, 1 something is missing or has ended.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
START_SECONDS = 20
STOP_SECONDS = 10
CURE = "install it (Debian: apt-get install --no-install-recommends prometheus prometheus-alertmanager)"


class ObserveError(Exception):
    """A program cannot be started, or has ended; the text says which, and the cure."""


@dataclass(frozen=True)
class Ports:
    """The loopback ports; `redis_exporter` is None without one."""

    gateway: int = 3000
    users: int = 3001
    prometheus: int = 9090
    alertmanager: int = 9093
    redis_exporter: int | None = None

    @classmethod
    def read(cls) -> "Ports":
        """The ports of the environment. Raises ObserveError."""
        given = {}
        for name in ("gateway", "users", "prometheus", "alertmanager", "redis_exporter"):
            value = os.environ.get(f"{name.upper()}_PORT", "")
            if value and not (value.isascii() and value.isdigit() and 0 < int(value) < 65_536):
                raise ObserveError(f"{name.upper()}_PORT is {value!r}: set it to a port from 1 to 65535")
            if value:
                given[name] = int(value)
        return cls(**given)


@dataclass
class Observer:
    """A Prometheus and an Alertmanager that keep their configuration and data in `folder`."""

    folder: Path
    ports: Ports
    rules: Path = HERE / "rules"
    webhook: str | None = None
    interval: str = "5s"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.prometheus}"

    def start(self) -> None:
        """Returns when both answer. Raises ObserveError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        alertmanager, prometheus = binary("prometheus-alertmanager", "alertmanager"), binary("prometheus")
        self._write("alertmanager.yaml", self.alertmanager_config())
        self._write("prometheus.yaml", self.prometheus_config())
        self._run(
            alertmanager,
            self.ports.alertmanager,
            f"--config.file={self.folder}/alertmanager.yaml",
            f"--storage.path={self.folder}/alerts",
            "--cluster.listen-address=",  # no gossip: it has no peers, and the port would be open to the network
        )
        self._run(
            prometheus,
            self.ports.prometheus,
            f"--config.file={self.folder}/prometheus.yaml",
            f"--storage.tsdb.path={self.folder}/samples",
            "--storage.tsdb.retention.time=31d",  # the error budgets cover 30 days
            f"--rules.alert.resend-delay={self.interval}",
        )

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; Prometheus first, so that it does not miss its Alertmanager."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def ended(self) -> str | None:
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def prometheus_config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load((HERE / "prometheus.yaml").read_text())
        ports = {
            "api-gateway": self.ports.gateway,
            "user-service": self.ports.users,
            "redis": self.ports.redis_exporter,
        }
        config["scrape_configs"] = [job for job in config["scrape_configs"] if ports[job["job_name"]]]
        for job in config["scrape_configs"]:
            job["static_configs"][0]["targets"] = [f"127.0.0.1:{ports[job['job_name']]}"]
        config["global"] |= dict.fromkeys(config["global"], self.interval)
        config["rule_files"] = [f"{self.rules}/*.rules.yaml"]
        config["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.ports.alertmanager}"]}]}]
        }
        return config

    def alertmanager_config(self) -> dict[str, Any]:
        """alertmanager.yaml with receivers that send to `webhook`, or nowhere; with delays as short as the scrapes'."""
        config: dict[str, Any] = yaml.safe_load((HERE / "alertmanager.yaml").read_text())
        config["route"] |= {"group_wait": self.interval, "group_interval": self.interval}
        for receiver in config["receivers"]:
            del receiver["webhook_configs"]
            if self.webhook:
                receiver["webhook_configs"] = [{"url": f"{self.webhook}/{receiver['name']}"}]
        return config

    def _write(self, name: str, config: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(config, sort_keys=False))

    def _run(self, command: str, port: int, *options: str) -> None:
        """Returns when it answers on `port`. Raises ObserveError."""
        name = Path(command).name
        require_free(name, port)
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            # A session of its own: a terminal's Ctrl-C reaches only us, and we stop both in order.
            self.processes[name] = subprocess.Popen(
                [command, f"--web.listen-address=127.0.0.1:{port}", *options],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.ended() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        last = (log.read_text(errors="replace").splitlines() or ["nothing was logged"])[-1]
        raise ObserveError(f"{name} does not start (more: {log}): {last}")


def require_free(name: str, port: int) -> None:
    """Raises ObserveError for a port in use: the other server's answer would pass for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            setting = "PROMETHEUS_PORT" if name == "prometheus" else "ALERTMANAGER_PORT"
            raise ObserveError(f"port {port} is in use: stop what listens there, or set {setting}") from error


def binary(*names: str) -> str:
    """The path of the first of these programs that is installed. Raises ObserveError with the cure."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise ObserveError(f"{names[0]} is not installed: {CURE}")


@contextmanager
def until_signal() -> Iterator[list[int]]:
    signals: list[int] = []
    with ExitStack() as stack:
        for signum in (signal.SIGINT, signal.SIGTERM):
            before = signal.signal(signum, lambda number, _frame: signals.append(number))
            stack.callback(signal.signal, signum, before)
        yield signals


def main() -> int:
    """Runs until SIGINT or SIGTERM; returns the exit code."""
    with until_signal() as signals:
        try:
            folder = Path(os.environ.get("DATA_DIR") or ".data").resolve() / "observe"
            observer = Observer(folder, Ports.read(), webhook=os.environ.get("ALERT_WEBHOOK_URL"))
            try:
                observer.start()
                sys.stdout.write(welcome(observer))
                sys.stdout.flush()
                while not signals and not (name := observer.ended()):
                    time.sleep(0.2)
            finally:
                observer.stop()
            if not signals:
                raise ObserveError(f"{name} has ended (more: {folder}/{name}.log)")
        except (ObserveError, OSError) as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
    return 0


def welcome(observer: Observer) -> str:
    return f"""Watching 127.0.0.1:{observer.ports.gateway} and 127.0.0.1:{observer.ports.users}. Ctrl-C stops it.

  {observer.url}/graph     queries
  {observer.url}/alerts    alerts and their state
  {observer.url}/targets   scrapes
  http://127.0.0.1:{observer.ports.alertmanager}/api/v2/alerts   sent alerts
"""


if __name__ == "__main__":
    sys.exit(main())
