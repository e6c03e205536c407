"""`wait_for_upstream`: returns when the user service is ready."""

import time
from typing import Any

import requests
from django import conf
from django.core.management.base import CommandError, CommandParser

from common.cli.console import Command as BaseCommand
from common.cli.console import whole
from gateway_site.management.expectations import reason
from gateway_site.routes.table import Tls

settings: Any = conf.settings  # mypy's plugin reads only the user service's settings

PAUSE_SECONDS = 0.2
ANSWER_SECONDS = 2.0
"""/health/ready answers within 1 s."""


class Command(BaseCommand):
    help = """\
Waits until the user service and its store are ready (/health/ready at USER_SERVICE_URL). Exits 1 at the time-out.
The gateway does not need this: without the user service it starts, and answers 502."""
    example = "manage_gateway.py wait_for_upstream --timeout 60 && manage_gateway.py smoke --url http://localhost:3000"
    started = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--timeout", type=whole(1, 86_400), default=30, metavar="S", help="seconds (default: 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        deadline = self.started + options["timeout"]
        while reason := _what_is_missing(max(0.1, min(ANSWER_SECONDS, deadline - time.monotonic()))):
            if time.monotonic() + PAUSE_SECONDS >= deadline:
                seconds = options["timeout"]
                raise CommandError(f"{settings.USER_SERVICE_URL} is not ready after {seconds} s: {reason}")
            time.sleep(PAUSE_SECONDS)
        self.say(f"{settings.USER_SERVICE_URL} is ready after {time.monotonic() - self.started:.1f} s")

    def position(self) -> str:
        return f" after {time.monotonic() - self.started:.1f} s"


def _what_is_missing(seconds: float) -> str:
    """Why the user service is not ready; "" if it is."""
    tls = settings.ROUTES.upstreams[settings.ROUTES.users.upstream].tls or Tls()
    own = (tls.cert, tls.key) if tls.cert else None
    url = f"{settings.USER_SERVICE_URL}/health/ready"
    try:
        answer = requests.get(url, timeout=seconds, allow_redirects=False, verify=tls.ca or True, cert=own)
    except requests.RequestException as error:
        return reason(error)
    return "" if answer.status_code == requests.codes.ok else f"/health/ready answered {answer.status_code}"
