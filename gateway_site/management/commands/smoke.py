"""`smoke`: tests a running system against the contract."""

from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import requests
from django.core.management.base import CommandError, CommandParser

from common.cli.console import Command as BaseCommand
from common.cli.console import add_format, table, whole
from common.config import environment
from gateway_site.management.expectations import as_object
from gateway_site.management.round_trip import RoundTrip, Step
from gateway_site.routes import values

VISIBLE_SECONDS = 2.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
CREDENTIALS = {"Authorization": "SMOKE_AUTHORIZATION", "X-API-Key": "SMOKE_API_KEY"}


class Command(BaseCommand):
    help = """\
Tests health and versions of a running gateway, and all operations on one marked user: create, read, find, list, change,
delete; also requests that must be refused. Prints the outcome and the time of each step. Exits 1 if one failed.

Safe in production: some twenty requests and one user (smoke-…@example.com), which is deleted even if a step fails.
Set a credential in the environment, or in a file named by NAME_FILE: SMOKE_AUTHORIZATION (sent as Authorization:
"Bearer …") or SMOKE_API_KEY (sent as X-API-Key).

The command compares the versions of both services if it can reach the user service: at --users-url or, for a gateway on this
machine (in its pod: --url http://localhost:3000), at USER_SERVICE_URL."""
    needs_settings = False
    example = """\
manage_gateway.py smoke --url http://localhost:3000
  SMOKE_API_KEY_FILE=/run/secrets/smoke manage_gateway.py smoke --url https://api.example.com --door"""
    trip: RoundTrip | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", type=origin, required=True, metavar="U", help="URL of the gateway")
        parser.add_argument("--users-url", type=origin, metavar="U", help="URL of the user service: compares versions")
        parser.add_argument("--door", action="store_true", help="U is the public address, without health and versions")
        parser.add_argument(
            "--timeout", type=whole(1, 3600), default=10, metavar="S", help="time-out of each answer (default: 10)"
        )
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        trip = self.trip = RoundTrip(
            options["url"],
            options["users_url"] or visible_users_url(options["url"]),
            seconds=options["timeout"],
            credentials={field: value for field, name in CREDENTIALS.items() if (value := environment.secret(name))},
            door=options["door"],
        )
        steps = trip.run()
        failed = [step for step in steps if step.outcome == "failed"]
        if options["format"] == "json":
            self.write_json({"url": options["url"], "ok": not failed, "steps": [asdict(step) for step in steps]})
        else:
            self.stdout.write(table(("step", "outcome", "ms", ""), [_row(step) for step in steps]))
        if failed:
            names = ", ".join(step.name for step in failed)
            cure = f"; set {' or '.join(CREDENTIALS.values())} (users:read and users:write)" if trip.is_refused else ""
            raise CommandError(f"{len(failed)} of {len(steps)} steps failed: {names}{cure}")

    def position(self) -> str:
        """The last step before Ctrl-C: the deletion of the user, if one was created."""
        steps = self.trip.steps if self.trip else []
        return f" after {len(steps)} steps, the last: {steps[-1].name} {steps[-1].outcome}" if steps else ""


def visible_users_url(url: str) -> str:
    """USER_SERVICE_URL, if the gateway runs on this machine and its user service is reachable; else ""."""
    users_url = environment.text("USER_SERVICE_URL").rstrip("/")
    if urlsplit(url).hostname not in LOOPBACK or not users_url:
        return ""
    try:
        answer = requests.get(f"{users_url}/version", timeout=VISIBLE_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return ""
    return users_url if as_object(answer).get("service") == "user-service" else ""


def origin(text: str) -> str:
    try:
        return values.origin(text)
    except ValueError:
        cure = "give http:// or https:// and a host, without path or password, like https://api.example.com"
        raise ArgumentTypeError(cure) from None


def _row(step: Step) -> tuple[str, str, str, str]:
    milliseconds = f"{step.milliseconds:.1f}" if step.outcome != "skipped" else ""
    return step.name, step.outcome, milliseconds, step.detail
