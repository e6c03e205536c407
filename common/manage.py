"""What `manage_gateway.py` and `manage_users.py` do: Django's management, with start-up errors of one line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main(settings_module: str) -> None:
    """Runs the command of `sys.argv`. Exits 1 with one line where a setting is missing or malformed.

    `runserver` is for daily work: DEBUG is true unless the environment or `.env` sets it.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    try:
        from common import environment  # reads `.env`

        if sys.argv[1:2] == ["runserver"] and not environment.text("DEBUG"):
            os.environ["DEBUG"] = "true"
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:  # before the command had begun: it says itself where it stood
        sys.exit("error: stopped")
    except ImproperlyConfigured as error:
        sys.exit(f"{sys.argv[0]}: {error}")
