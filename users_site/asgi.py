"""The user service as an ASGI application."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "users_site.settings"
django.setup(set_prefix=False)

from common.http.application import Application  # noqa: E402 - Django is set up first
from users_site.repository import users  # noqa: E402

application = Application(on_stop=(users.close,))
