"""The stage of the live tests: the pair on a real store with a replica and an exporter, under load; Prometheus and
Alertmanager with our rules; a webhook that receives the alerts."""

import copy
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
import yaml

from deploy.monitoring.observe import STOP_SECONDS, Observer, Ports
from deploy.tests.monitoring.rule_files import RULE_FILES, parsed
from deploy.tests.programs import run
from tests.http_server import Handler, http_server
from tools.processes.service import Service, free_port, service
from tools.processes.store import PASSWORD, Store, store
from tools.run.processes import Supervisor

MAX_MEMORY = "256mb"
WAIT_SECONDS = 45
LOAD_SECONDS = 120
PAUSE_SECONDS = 0.04
QUICK = {"[5m]": "[12s]", "[1m]": "[3s]"}
"""Windows short enough for a test. Longer ones read the available data."""


@dataclass
class Webhook:
    """Every notification of Alertmanager, in order: `firing` or `resolved`, receiver, the alert's labels."""

    received: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def has(self, status: str, receiver: str, **labels: str) -> bool:
        return any(
            (status, receiver) == (got_status, got_receiver) and labels.items() <= got.items()
            for got_status, got_receiver, got in self.received
        )


@dataclass
class Stage:
    """All processes; `times` has the time of each event, in seconds since the epoch."""

    store: Store
    users: Service
    gateway: Service
    observer: Observer
    webhook: Webhook
    times: dict[str, float] = field(default_factory=dict)
    calm: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """The notifications before the first event."""
    explained: set[str] = field(default_factory=set)
    """Alerts that Alertmanager inhibited while the user service was down, because ServiceDown explains them."""

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Returns when the condition holds, and records the time. Raises AssertionError with what arrived instead."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"no {what} in {WAIT_SECONDS} s; received: {self.webhook.received}"
            time.sleep(0.1)
        self.times[what] = time.time()

    def inhibited(self) -> set[str]:
        url = f"--alertmanager.url=http://127.0.0.1:{self.observer.ports.alertmanager}"
        done = run("amtool", "alert", "query", "--inhibited", "--output=json", url)
        return {alert["labels"]["alertname"] for alert in json.loads(done.stdout)}


def quick_rules(folder: Path) -> Path:
    """Our rules with short `for` and short windows, otherwise unchanged."""
    folder.mkdir()
    for path in RULE_FILES:
        document = copy.deepcopy(parsed(path))
        for group in document["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                for window, quick in QUICK.items():
                    rule["expr"] = rule["expr"].replace(window, quick)
                if "for" in rule:
                    rule["for"] = "2s"
        (folder / path.name).write_text(yaml.safe_dump(document))
    return folder


@contextmanager
def exporter(target: Store) -> Iterator[int]:
    """A redis_exporter for the store; returns its port."""
    port = free_port()
    command = ["prometheus-redis-exporter", "-web.listen-address", f"127.0.0.1:{port}"]
    address = f"redis://127.0.0.1:{target.port}"
    process = subprocess.Popen(
        [*command, "-redis.addr", address, "-redis.password", PASSWORD],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()

    class Notification(Handler):
        def do_POST(self) -> None:
            alerts, receiver = json.loads(self.body())["alerts"], self.path.removeprefix("/")
            webhook.received += [(alert["status"], receiver, alert["labels"]) for alert in alerts]
            self.answer(200)

    with http_server(Notification) as webhook.url:
        yield webhook


@contextmanager
def load(port: int) -> Iterator[None]:
    """A few dozen mixed requests a second, for two minutes at most."""
    done = threading.Event()
    clients = [threading.Thread(target=client, args=(port, name, done), daemon=True) for name in ("a", "b")]
    for thread in clients:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in clients:
            thread.join(15)


def client(port: int, name: str, done: threading.Event) -> None:
    """Creates, reads, lists, changes and requests missing users; ignores the answers."""
    deadline = time.monotonic() + LOAD_SECONDS
    user = "none"
    for number in itertools.count():
        if done.wait(PAUSE_SECONDS) or time.monotonic() > deadline:
            return
        method, path, sent = (
            ("POST", "/api/users", {"name": "A B", "email": f"{name}{number}@example.com"}),
            ("GET", f"/api/users/{user}", None),
            ("GET", "/api/users?limit=20", None),
            ("PATCH", f"/api/users/{user}", {"name": "C D"}),
            ("GET", "/api/users/unknown", None),
            ("GET", "/nowhere", None),
        )[number % 6]
        with suppress(requests.RequestException):
            answer = requests.request(method, f"http://127.0.0.1:{port}{path}", json=sent, timeout=5)
            if answer.status_code == requests.codes.created:
                user = answer.json()["id"]


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    for name in ("primary", "replica", "services"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        primary = stack.enter_context(store(folder / "primary", maxmemory=MAX_MEMORY, repl_diskless_sync_delay="0"))
        replica = {"replicaof": f"127.0.0.1 {primary.port}", "masterauth": PASSWORD}
        stack.enter_context(store(folder / "replica", **replica))
        users = stack.enter_context(service("users_site", folder / "services", REDIS_URL=primary.url))
        settings = {"USER_SERVICE_URL": users.url, "AUTH": "none"}
        gateway = stack.enter_context(service("gateway_site", folder / "services", **settings))
        receiver = stack.enter_context(webhook())
        ports = Ports(gateway.port, users.port, free_port(), free_port(), stack.enter_context(exporter(primary)))
        observer = Observer(
            folder / "observe", ports, quick_rules(folder / "rules"), webhook=receiver.url, interval="1s"
        )
        observer.start(stack.push(Supervisor(STOP_SECONDS)))  # its signal handlers are for a process of its own
        stack.enter_context(load(gateway.port))
        yield Stage(primary, users, gateway, observer, receiver)
