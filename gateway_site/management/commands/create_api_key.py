"""`create_api_key`: a key for a client of the gateway, shown once, and its line for AUTH_API_KEYS_FILE."""

import re
import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser

from common.cli.console import Command as BaseCommand
from common.cli.console import add_format
from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ, SCOPES
from gateway_site.routes.values import SCOPE


class Command(BaseCommand):
    """Stores nothing: the operator keeps the file of keys."""

    help = """\
Creates an API key. Prints the key on stderr, only this once, and the line for AUTH_API_KEYS_FILE on stdout: append it to the
file, which the gateway reads again within a second. The line contains a hash, not the key."""
    needs_settings = False
    example = """\
manage_gateway.py create_api_key --name reporting --scopes users:read --expires 365d >> api-keys.txt"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--name", type=name, required=True, help="name of the client, for logs and the user service"
        )
        parser.add_argument(
            "--scopes",
            type=scopes,
            default=frozenset({READ}),
            metavar="S[,S]",
            help=f"default: {READ}; all of /api/users: {ALL}",
        )
        parser.add_argument("--expires", type=expiry, metavar="WHEN", help="like 365d or 2027-12-31; default: never")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if others := options["scopes"] - SCOPES:
            self.say(f"/api/users never requires {', '.join(sorted(others))}: only a route of ROUTES can.")
        key, line = api_keys.create(options["name"], options["scopes"], options["expires"])
        if options["format"] == "json":
            self.write_json({"key": key, "line": line})
            return
        self.say(f"The key, shown this once:\n\n  {key}\n\nIts line for AUTH_API_KEYS_FILE is on stdout:\n")
        sys.stderr.flush()
        self.stdout.write(line)


ALL = ",".join(sorted(SCOPES))


def name(text: str) -> str:
    if not api_keys.NAME.fullmatch(text):
        raise ArgumentTypeError("give 1 to 64 letters, digits, dots, dashes or underscores, like reporting")
    return text


def scopes(text: str) -> frozenset[str]:
    found = frozenset(text.replace(",", " ").split())
    if not found or not all(scope in SCOPES or (":" in scope and re.fullmatch(SCOPE, scope)) for scope in found):
        raise ArgumentTypeError(f"give one or more of {ALL}, or scopes of your routes, like orders:read")
    return found


def expiry(text: str) -> datetime:
    """The argparse type of a future time: a day, a time, or days from now."""
    if days := re.fullmatch(r"([1-9]\d{0,4})d", text):
        return datetime.now(UTC) + timedelta(days=int(days[1]))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("give days like 365d, or a day like 2027-12-31") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when <= datetime.now(UTC):
        raise ArgumentTypeError("this time is in the past")
    return when
