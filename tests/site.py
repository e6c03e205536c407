"""The site of this test run: how to start it, and a dependency that can be frozen."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from django.conf import settings

from tests.recording import Recording, recording
from tools.processes.service import Service, service
from tools.processes.store import Store, store

SITE: str = settings.SITE
IS_GATEWAY = SITE == "gateway_site"

COLLECTION = "/api/users" if IS_GATEWAY else "/users"
"""The path of the users at this site."""
UNKNOWN_USER = f"{COLLECTION}/01900000-0000-7000-8000-000000000000"

NOWHERE = {"USER_SERVICE_URL": "http://127.0.0.1:1", "AUTH": "none", "REDIS_URL": "redis://127.0.0.1:1"}
"""The required settings of either site, with a dependency that refuses."""

DEPENDENCY = "user-service" if IS_GATEWAY else "redis"
OVERLOADED = "upstream-unavailable" if IS_GATEWAY else "store-unavailable"

_PATIENT = dict.fromkeys(("UPSTREAM_TIMEOUT_MS", "REDIS_TIMEOUT_MS", "REDIS_CONNECT_TIMEOUT_MS"), "60000")

Dependency = Recording | Store
"""While frozen it accepts connections and answers nothing."""


@contextmanager
def patient_service(folder: Path, **overrides: str) -> Iterator[tuple[Service, Dependency]]:
    """The site with its own dependency, for which it waits a minute."""
    folder.mkdir(exist_ok=True)
    own: AbstractContextManager[Dependency] = recording() if IS_GATEWAY else store(folder)
    with own as held:
        dependency = {"USER_SERVICE_URL": held.url, "REDIS_URL": held.url}
        environment = {**NOWHERE, **dependency, **_PATIENT, "LOG_LEVEL": "debug", **overrides}
        with service(SITE, folder, **environment) as running:
            try:
                yield running, held
            finally:
                held.thaw()
