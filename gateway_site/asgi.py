"""The gateway as an ASGI application: the one place that wires it."""

import os
from typing import Any

import django
from django.conf import settings

from common.http.application import Application


def build(settings: Any) -> Application:
    """The pool of connections, the guard, the pages. Opens no connection. Raises ImproperlyConfigured."""
    from gateway_site import urls
    from gateway_site.forwarding import user_service, view

    return Application(
        urls.urlpatterns(settings),
        probes={user_service.SERVICE: user_service.probe},
        on_stop=[*view.on_stop, user_service.upstream.close],
    )


def application() -> Application:
    """What the server runs: `gunicorn gateway_site.asgi:application()`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_site.settings"
    django.setup(set_prefix=False)
    return build(settings)
