"""The user service as an ASGI application: the one place that wires it."""

import os
from functools import partial
from typing import Any

import django
from django.conf import settings

from common.http.application import Application
from users_site import metrics, repository
from users_site.repository.sweeping import Sweeper


def build(settings: Any) -> Application:
    """Connection, repository, views. Opens no connection. Raises ImproperlyConfigured."""
    from users_site import urls  # DRF reads its settings when it is imported

    users = repository.connect(settings)
    in_force = {
        "store": str(repository.address_of(settings)),
        "durability": settings.DURABILITY,
        "redis_timeout_ms": settings.REDIS_TIMEOUT_MS,
        "redis_connect_timeout_ms": settings.REDIS_CONNECT_TIMEOUT_MS,
        "partitions": settings.PARTITIONS,
    }
    return Application(
        urls.urlpatterns(users, settings),
        probes={"redis": users.probe},
        before_scrape=[partial(metrics.users_total.look_up, users)],
        on_stop=[users.close],
        background=[Sweeper(users.cross_partition).run],
        in_force=in_force,
    )


def application() -> Application:
    """The server calls this once per process."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "users_site.settings"
    django.setup(set_prefix=False)
    return build(settings)
