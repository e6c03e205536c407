"""Prometheus with our rules, and Alertmanager, for the services that run on this machine: `make observe`,
that is `python -m deploy.monitoring.observe`.

Ports come from GATEWAY_PORT, USERS_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT; REDIS_EXPORTER_PORT adds a redis_exporter.
ALERT_WEBHOOK_URL receives the alerts, if set. Data stays in `.data/observe`. Ctrl-C and SIGTERM stop both.
Exit codes: 0 stopped, 1 something is missing or has ended.
"""

import os
import shutil
import sys
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.config.environment import SettingError, integer
from tools.run.ports import require_free
from tools.run.processes import ProcessEndedError, StopRequestedError, Supervisor

HERE = Path(__file__).resolve().parent
START_SECONDS = 20
STOP_SECONDS = 10
CURE = "install it (Debian: apt-get install --no-install-recommends prometheus prometheus-alertmanager)"


class ObserveError(Exception):
    """A program cannot be started; the text says which, and the cure."""


@dataclass(frozen=True)
class Ports:
    """The loopback ports; `redis_exporter` is 0 without one."""

    gateway: int
    users: int
    prometheus: int
    alertmanager: int
    redis_exporter: int

    @classmethod
    def read(cls) -> "Ports":
        """The ports of the environment. Raises SettingError."""
        defaults = {"GATEWAY": 3000, "USERS": 3001, "PROMETHEUS": 9090, "ALERTMANAGER": 9093}
        given = [integer(f"{name}_PORT", default, minimum=1, maximum=65_535) for name, default in defaults.items()]
        return cls(*given, integer("REDIS_EXPORTER_PORT", 0, minimum=0, maximum=65_535))


@dataclass
class Observer:
    """A Prometheus and an Alertmanager that keep their configuration and data in `folder`."""

    folder: Path
    ports: Ports
    rules: Path = HERE / "rules"
    webhook: str | None = None
    interval: str = "5s"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.prometheus}"

    def start(self, supervisor: Supervisor) -> None:
        """Returns when both answer. Raises ObserveError, and what the supervisor raises."""
        self.folder.mkdir(parents=True, exist_ok=True)
        alertmanager, prometheus = binary("prometheus-alertmanager", "alertmanager"), binary("prometheus")
        self._write("alertmanager.yaml", self.alertmanager_config())
        self._write("prometheus.yaml", self.prometheus_config())
        self._run(
            supervisor,
            alertmanager,
            self.ports.alertmanager,
            f"--config.file={self.folder}/alertmanager.yaml",
            f"--storage.path={self.folder}/alerts",
            "--cluster.listen-address=",  # no gossip: it has no peers, and the port would be open to the network
        )
        self._run(
            supervisor,
            prometheus,
            self.ports.prometheus,
            f"--config.file={self.folder}/prometheus.yaml",
            f"--storage.tsdb.path={self.folder}/samples",
            "--storage.tsdb.retention.time=31d",  # the error budgets cover 30 days
            f"--rules.alert.resend-delay={self.interval}",
        )

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
        alertmanager = {"static_configs": [{"targets": [f"127.0.0.1:{self.ports.alertmanager}"]}]}
        config["alerting"] = {"alertmanagers": [alertmanager]}
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

    def _run(self, supervisor: Supervisor, command: str, port: int, *options: str) -> None:
        """Returns when it answers on `port`: another server's answer must not pass for its."""
        name = Path(command).name
        require_free(port, "PROMETHEUS_PORT" if name == "prometheus" else "ALERTMANAGER_PORT")
        log = self.folder / f"{name}.log"
        listen = f"--web.listen-address=127.0.0.1:{port}"
        supervisor.start(name, [command, listen, *options], os.environ, self.folder, log=log)
        try:
            is_up = supervisor.wait(lambda: answers(port), START_SECONDS)
        except ProcessEndedError:
            is_up = False
        if not is_up:
            last = (log.read_text(errors="replace").splitlines() or ["nothing was logged"])[-1]
            raise ObserveError(f"{name} does not start (more: {log}): {last}")


def answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
        return True
    return False


def binary(*names: str) -> str:
    """The path of the first of these programs that is installed. Raises ObserveError with the cure."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise ObserveError(f"{names[0]} is not installed: {CURE}")


def main() -> None:
    """Runs until SIGINT or SIGTERM."""
    try:
        folder = Path(os.environ.get("DATA_DIR") or ".data").resolve() / "observe"
        observer = Observer(folder, Ports.read(), webhook=os.environ.get("ALERT_WEBHOOK_URL"))
        with Supervisor(STOP_SECONDS) as supervisor:
            observer.start(supervisor)
            sys.stdout.write(welcome(observer))
            sys.stdout.flush()
            supervisor.wait(lambda: False)
    except StopRequestedError:
        return
    except (ObserveError, ProcessEndedError, SettingError, OSError) as error:
        sys.exit(f"error: {error}")


def welcome(observer: Observer) -> str:
    return f"""Watching 127.0.0.1:{observer.ports.gateway} and 127.0.0.1:{observer.ports.users}. Ctrl-C stops it.

  {observer.url}/graph     queries
  {observer.url}/alerts    alerts and their state
  {observer.url}/targets   scrapes
  http://127.0.0.1:{observer.ports.alertmanager}/api/v2/alerts   sent alerts
"""


if __name__ == "__main__":
    main()
