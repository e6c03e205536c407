"""`python -m tools.run`, which `make run` calls: starts the store and both services, seeds 100 users, prints the URLs.

Exit codes: 0 after Ctrl-C or SIGTERM, 1 if a process cannot start or ends.
"""

import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the slow imports; then the supervisor has a handler

from django.core.exceptions import ImproperlyConfigured

from common.config.environment import integer, misspelt, read_dotenv, text
from tools.run import services
from tools.run.ports import Ports, read_ports
from tools.run.processes import ProcessEndedError, StopRequestedError, Supervisor
from tools.run.services import ROOT
from tools.run.store import EmbeddedStore, StoreError

START_SECONDS, STORE_SECONDS = 30, 10
MANAGE_SECONDS = 60
GRACE_SECONDS = 20
"""Time to stop after the drain: the slowest request in flight takes 5 s."""

SAMPLE_USERS = 100


class NotStartedError(Exception):
    """A process runs but does not answer."""


def main() -> int:
    started = time.monotonic()
    try:
        read_dotenv()
        embedded = not (text("REDIS_URL") or text("REDIS_HOST"))
        ports = read_ports(services.further(), embedded=embedded)
        sys.stderr.writelines(f"warning: {sentence}\n" for sentence in misspelt())
        drain = integer("DRAIN_SECONDS", 5, minimum=0, maximum=600)
        own = EmbeddedStore(ports.redis, _data_dir()) if ports.redis else None
        with ExitStack() as stack:
            if own:
                stack.callback(own.withdraw)
            supervisor = stack.enter_context(Supervisor(stop_seconds=drain + GRACE_SECONDS))
            _start(supervisor, ports, own)
            sys.stdout.write(welcome(ports, time.monotonic() - started))
            sys.stdout.flush()
            supervisor.wait(lambda: False)
    except StopRequestedError:
        return 0
    except (ImproperlyConfigured, StoreError, NotStartedError, ProcessEndedError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _data_dir() -> Path:
    return Path(text("DATA_DIR") or ".data").resolve()


def _start(supervisor: Supervisor, ports: Ports, own: EmbeddedStore | None) -> None:
    """Returns when all services are ready and there are users."""
    users = services.environment("users_site", ports.users, **({"REDIS_URL": own.url} if own else {}))
    upstream = f"http://127.0.0.1:{ports.users}"
    more = ports.more
    given = {"ROUTES": services.table(more, _data_dir())} if more and not text("ROUTES") else {}
    if more and not given:
        sys.stderr.write(f"ROUTES is set: it replaces the routes that the gateway would get to {', '.join(more)}\n")
    gateway = services.environment("gateway_site", ports.gateway, USER_SERVICE_URL=upstream, **given)
    if own:
        own.publish(users | {"USER_SERVICE_URL": upstream} | given)
        own.start(supervisor)
    _manage(supervisor, users, "wait_for_redis", "--timeout", str(STORE_SECONDS))
    supervisor.start("user-service", services.command("users_site"), users, ROOT)
    for name, port in more.items():
        site = f"{name}_site"
        own_store = {"REDIS_URL": own.url} if own else {}
        supervisor.start(site, services.command(site), services.environment(site, port, **own_store), ROOT)
    supervisor.start("api-gateway", services.command("gateway_site"), gateway, ROOT)
    for name, port in (*more.items(), ("user-service", ports.users), ("api-gateway", ports.gateway)):
        if not supervisor.wait(partial(services.is_ready, port), START_SECONDS):
            url = f"http://127.0.0.1:{port}/health/ready"
            raise NotStartedError(f"{name} is not ready after {START_SECONDS} s: {url}")
    if services.has_no_users(ports.users):
        _manage(supervisor, users, "seed_users", "--count", str(SAMPLE_USERS))


def _manage(supervisor: Supervisor, env: dict[str, str], *command: str) -> None:
    """Raises NotStartedError."""
    if supervisor.run([sys.executable, "manage_users.py", *command], env, ROOT, MANAGE_SECONDS) != 0:
        raise NotStartedError("the store cannot be used: see the line above")


def welcome(ports: Ports, seconds: float) -> str:
    gateway, users = f"http://127.0.0.1:{ports.gateway}", f"http://127.0.0.1:{ports.users}"
    more = "".join(f"  {gateway}/api/{name}\n" for name in ports.more if not text("ROUTES"))
    return f"""
Ready after {seconds:.1f} s. Ctrl-C stops everything.

  {gateway}/                  start here
  {gateway}/api/users         the users, through the gateway
{more}  {gateway}/api/docs          the API, to try out
  {gateway}/health/ready      the gateway's health
  {users}/users             the user service

In a second terminal: ./manage_users.py help
"""


if __name__ == "__main__":
    sys.exit(main())
