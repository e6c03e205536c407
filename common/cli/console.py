"""The base of our management commands: one-line errors, exit codes, a clean stdout, progress, tables.

Exit codes: 0 success, 1 the check or the work failed (Ctrl-C and SIGTERM too), 2 wrong usage. Results go to stdout;
progress, questions, errors and log lines to stderr, so that stdout can be piped.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.cli.progress import Progress
from common.config.environment import SettingError
from common.observability.json_logging import mask

FORMATS = ("text", "json")


class Parser(CommandParser):
    """Reports wrong usage in one line, without printing the usage."""

    def print_usage(self, file: Any = None) -> None:
        """Prints nothing."""


class Command(BaseCommand):
    """A management command. `failures`: the exceptions whose text is the one line for the operator."""

    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's
    stealth_options = ("verbosity", "no_color", "force_color", "skip_checks")  # call_command() may pass Django's stream
    example = ""
    """A command line; `%(prog)s` is the program and the command."""

    needs_settings = True
    """False: the command runs with placeholders for missing or malformed settings."""

    setting_error: SettingError | None = None
    failures: tuple[type[Exception], ...] = (OSError,)
    progress: Progress | None = None
    is_command_line = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """A parser with the command's own options and --traceback, without Django's others."""
        parser = Parser(
            prog=f"{Path(prog_name).name} {subcommand}",
            description=self.help or None,
            epilog=f"example:\n  {self.example}" if self.example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            called_from_command_line=self.is_command_line,
            allow_abbrev=False,
            **kwargs,
        )
        parser.add_argument("--traceback", action="store_true", help="show the stack of an error")
        parser.set_defaults(
            verbosity=1, settings=None, pythonpath=None, no_color=True, force_color=False, skip_checks=True
        )
        self.add_arguments(parser)
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        self.is_command_line = True
        _log_to_stderr()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            super().run_from_argv(argv)
        except BrokenPipeError:  # `… | head`: Python would report the closed pipe again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def execute(self, *args: Any, **options: Any) -> str | None:
        if self.needs_settings and self.setting_error is not None:
            raise self.setting_error
        try:
            return super().execute(*args, **options)
        except KeyboardInterrupt:
            error: Exception = CommandError(f"stopped{self.position()}")
        except Exception as failure:
            is_known = isinstance(failure, (CommandError, *self.failures)) and not isinstance(failure, BrokenPipeError)
            if options.get("traceback") or not is_known:
                raise
            error = failure
        if self.is_command_line:
            self._die(_text(error), getattr(error, "returncode", 1))
        raise error if isinstance(error, CommandError) else CommandError(_text(error)) from error

    def confirm(self, question: str) -> None:
        """Returns if the operator answers yes. Otherwise, and without a terminal, raises CommandError."""
        if not sys.stdin.isatty():
            raise CommandError(f"{question} There is no terminal to ask on: give --yes.")
        self._show(f"{question} [y/N] ")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError("nothing was done")

    def say(self, text: str) -> None:
        """Writes a line to stderr."""
        if self.progress is not None:
            self.progress.clear()
        self.stderr.write(text, str)

    def start_progress(self, total: int | None, what: str) -> Progress:
        """Shows progress; Ctrl-C reports it too."""
        self.progress = Progress(total, what, self._show, is_terminal=self.stderr.isatty())
        return self.progress

    def position(self) -> str:
        """The progress, for the line after Ctrl-C."""
        return f" after {self.progress.position()}" if self.progress is not None else ""

    def write_json(self, result: Any) -> None:
        self.stdout.write(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())

    def _show(self, text: str) -> None:
        self.stderr.write(text, str, ending="")
        self.stderr.flush()

    def _die(self, text: str, returncode: int) -> NoReturn:
        line = mask(" ".join(text.split()))
        with suppress(OSError):
            if self.progress is not None:
                self.progress.clear()
            self.stderr.write(f"error: {line}", str)
        sys.exit(returncode)


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="output for people (text) or for programs (json)"
    )


def file_name(text: str) -> str:
    """The argparse type of a file's name."""
    if not text:
        raise argparse.ArgumentTypeError("the name of a file cannot be empty")
    return text


def whole(minimum: int, maximum: int) -> "type[int]":
    """The argparse type of a whole number within bounds."""

    def parse(text: str) -> int:
        with suppress(ValueError):
            if minimum <= (value := int(text)) <= maximum:
                return value
        raise argparse.ArgumentTypeError(f"{text[:50]!r} is not a whole number from {minimum} to {maximum}")

    return parse  # type: ignore[return-value]  # argparse calls it, as it would call `int`


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    lines = [headings, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _log_to_stderr() -> None:
    """The services log to stdout; a command's stdout is its result. All our loggers propagate to the root."""
    root = logging.getLogger()
    for old in list(root.handlers):
        new = logging.StreamHandler(sys.stderr)
        new.setFormatter(old.formatter)
        root.removeHandler(old)
        root.addHandler(new)
