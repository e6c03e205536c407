"""`runserver [addrport]`: the service as in production (gunicorn, our worker), on loopback, with reload.

DEBUG is true unless the environment or `.env` sets it (common/cli/manage.py). An edit that cannot be imported ends the server
with its error.
"""

import os
import re
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from common.cli.console import Command as BaseCommand

ROOT = Path(__file__).resolve().parents[3]


class Command(BaseCommand):
    """Replaces Django's runserver, which would run views in threads."""

    help = "Runs this service as in production, with reload for development. The server runs the checks at each load."
    example = "%(prog)s\n  %(prog)s 0.0.0.0:8000"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("addrport", nargs="?", default="", help="port or address:port (default: 127.0.0.1:PORT)")

    def handle(self, *args: Any, addrport: str, **options: Any) -> None:
        """Becomes gunicorn. Raises CommandError (exit code 2) for a malformed address."""
        command = [sys.executable, "-m", f"{settings.SITE}.server"]
        paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        os.execve(sys.executable, [*command, "--reload", "--bind", bind(addrport)], environment)  # noqa: S606


def bind(addrport: str) -> str:
    """`8000`, `0.0.0.0:8000`, `[::1]:8000` or nothing, as gunicorn takes it."""
    address, _, port = addrport.rpartition(":") if addrport else ("", "", str(settings.PORT))
    if not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:
        raise CommandError(
            f"{addrport!r} is neither a port nor address:port, e.g. 8000 or 127.0.0.1:8000", returncode=2
        )
    return f"{address or '127.0.0.1'}:{port}"
