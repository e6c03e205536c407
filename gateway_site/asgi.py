"""The gateway as an ASGI application."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_site.settings"
django.setup(set_prefix=False)

from common.http.application import Application  # noqa: E402 - Django is set up first
from gateway_site.forwarding.user_service import upstream  # noqa: E402
from gateway_site.forwarding.view import on_stop  # noqa: E402

application = Application(on_stop=(*on_stop, upstream.close))
