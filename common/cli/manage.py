"""What `manage_gateway.py` and `manage_users.py` do: Django's management, with start-up errors of one line."""

import os
import sys
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility, get_commands


class Utility(ManagementUtility):
    """Django's, with wrong usage in one line and exit code 2."""

    def fetch_command(self, subcommand: str) -> Any:
        """The command. Exits 2 for a name that is none."""
        _ = settings.INSTALLED_APPS  # a missing setting is told first: without one, only Django's commands are known
        names = get_commands()
        if subcommand not in names:
            close = get_close_matches(subcommand, names, n=1)
            cure = f"do you mean {close[0]}?" if close else f"`{self.prog_name} help` lists them"
            sys.stderr.write(f"{self.prog_name}: error: no command is named {subcommand!r}: {cure}\n")
            sys.exit(2)
        command: Any = super().fetch_command(subcommand)
        command.create_parser = quietly(command.create_parser)
        return command


def quietly(create_parser: Any) -> Any:
    """Parsers that tell wrong usage in one line: argparse's usage before it is fifteen, most of them Django's options."""

    def create(*args: Any, **options: Any) -> Any:
        parser = create_parser(*args, **options)
        parser.print_usage = lambda file=None: None
        return parser

    return create


def main(settings_module: str) -> None:
    """Runs the command of `sys.argv`. Exits 1 with one line where a setting is missing or malformed.

    `runserver` is for daily work: DEBUG is true unless the environment or `.env` sets it.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    try:
        from common.config import environment

        environment.read_dotenv()
        if sys.argv[1:2] == ["runserver"] and not environment.text("DEBUG"):
            os.environ["DEBUG"] = "true"
        Utility(sys.argv).execute()
    except KeyboardInterrupt:  # before the command had begun: it says itself where it stood
        sys.exit("error: stopped")
    except ImproperlyConfigured as error:
        sys.exit(f"{sys.argv[0]}: {error}")
