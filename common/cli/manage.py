"""`manage_gateway.py` and `manage_users.py`: Django's management, with start-up errors in one line.

Help, wrong usage and some commands need no settings of a service. If the settings are wrong, Django loads placeholders,
and only a command that needs the settings reports the error.
"""

import os
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility, get_commands, load_command_class

from common.config import environment
from common.config.environment import SettingError


class Utility(ManagementUtility):
    """Django's utility, with wrong usage in one line and exit code 2, and a list of this project's commands."""

    def __init__(self, argv: list[str], setting_error: SettingError | None) -> None:
        super().__init__(argv)
        self.setting_error = setting_error

    def execute(self) -> None:
        """Runs the command; `--version` is this project's, not Django's."""
        if self.argv[1:] in (["--version"], ["version"]):
            sys.stdout.write(f"{settings.APP_VERSION}\n")
        else:
            super().execute()

    def main_help_text(self, commands_only: bool = False) -> str:
        names = sorted(name for name, app in get_commands().items() if app in {"common", settings.SITE})
        if commands_only:
            return "\n".join(names)
        width = max(map(len, names))
        lines = [f"  {name.ljust(width)}  {_first_sentence(name)}" for name in names]
        return "\n".join([f"{self.prog_name} COMMAND --help shows the options of a command.", "", *lines])

    def fetch_command(self, subcommand: str) -> Any:
        """The command. Exits 2 for an unknown name. Raises SettingError."""
        names = get_commands()
        if subcommand not in names:
            close = get_close_matches(subcommand, names, n=1)
            cure = f"do you mean {close[0]}?" if close else f"`{self.prog_name} help` lists them"
            sys.stderr.write(f"{self.prog_name}: error: no command is named {subcommand!r}: {cure}\n")
            sys.exit(2)
        command: Any = super().fetch_command(subcommand)
        if self.setting_error is not None:
            if not hasattr(command, "setting_error"):  # one of Django's own
                raise self.setting_error
            command.setting_error = self.setting_error
        return command


def _first_sentence(name: str) -> str:
    text = " ".join(load_command_class(get_commands()[name], name).help.split())
    return text.partition(". ")[0].partition(": ")[0].rstrip(".")


def main(settings_module: str, **placeholders: str) -> None:
    """Runs the command of `sys.argv`. Exits 1 with one line if a setting that it needs is missing or malformed.

    `placeholders`: values for required settings, for commands that need none. `runserver` is for daily work: DEBUG is
    true unless the environment or `.env` sets it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    try:
        error = _load_settings(placeholders)
        Utility(sys.argv, error).execute()
    except KeyboardInterrupt:  # before the command begins: later it reports its position
        sys.exit("error: stopped")
    except ImproperlyConfigured as error:
        # Images have no Makefile.
        can_run = " is not set: " in str(error) and Path("Makefile").is_file()
        sys.exit(f"{sys.argv[0]}: {error}{', or start `make run`, whose settings are used' if can_run else ''}")


def _read_running() -> None:
    """The settings of a running `make run`, without those of its store if another one is set."""
    store = {name: environment.text(name) for name in ("REDIS_URL", "REDIS_HOST", "PARTITIONS")}
    environment.read_dotenv(f"{environment.text('DATA_DIR') or '.data'}/run.env")
    if store["REDIS_URL"] or store["REDIS_HOST"]:
        os.environ.update(store)


def _load_settings(placeholders: dict[str, str]) -> SettingError | None:
    """Loads Django's settings. If they are wrong, loads placeholders and returns the error."""
    try:
        environment.read_dotenv()
        _read_running()
        if sys.argv[1:2] == ["runserver"] and not environment.text("DEBUG"):
            os.environ["DEBUG"] = "true"
        _ = settings.INSTALLED_APPS
    except SettingError as error:
        real = dict(os.environ)
        module = {"DJANGO_SETTINGS_MODULE": real["DJANGO_SETTINGS_MODULE"]}
        sys.modules.pop("common.config.settings", None)  # may have half of the real settings
        environment.DOTENV = os.devnull
        os.environ.clear()
        os.environ.update({"DEBUG": "true", **placeholders, **module})
        try:
            _ = settings.INSTALLED_APPS
        finally:
            os.environ.clear()
            os.environ.update(real)
        return error
    return None
