"""What our management commands share: one-line errors, exit codes, a clean stdout, progress, tables.

Exit codes: 0 done, 1 the check failed or the work could not be done (Ctrl-C and SIGTERM too), 2 wrong usage.
Results go to stdout; progress, questions, errors and log lines to stderr, so that stdout can be piped.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from common.cli.progress import Progress
from common.observability.json_logging import mask

FORMATS = ("text", "json")


class HelpFormatter(argparse.RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Django's order of options; the text and the example stay as written."""


class Command(BaseCommand):
    """A management command. `failures` are the exceptions whose text is an operator's one line."""

    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's
    example = ""
    """What an operator would type; `%(prog)s` is the program and the command."""

    failures: tuple[type[Exception], ...] = (OSError,)
    progress: Progress | None = None

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's parser, with the example below the options."""
        epilog = f"example:\n  {self.example}" if self.example else None
        return super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, epilog=epilog, **kwargs)

    def run_from_argv(self, argv: list[str]) -> None:
        """Runs the command of a terminal. Exits 1 with one line where it failed."""
        _log_to_stderr()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            super().run_from_argv(argv)
        except BrokenPipeError:  # `… | head`: nobody reads on; Python would complain once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Runs the command; what ends it before its end becomes one line. Raises SystemExit (1) or CommandError."""
        try:
            return super().execute(*args, **options)
        except KeyboardInterrupt:
            error: Exception = CommandError(f"stopped{self.position()}")
        except Exception as failure:
            is_known = isinstance(failure, (CommandError, *self.failures)) and not isinstance(failure, BrokenPipeError)
            if options["traceback"] or not is_known:
                raise
            error = failure
        if self._called_from_command_line:  # type: ignore[attr-defined]
            self._die(_text(error), getattr(error, "returncode", 1))
        raise error if isinstance(error, CommandError) else CommandError(_text(error)) from error

    def confirm(self, question: str) -> None:
        """Returns if a person says yes. Raises CommandError, also where there is no terminal to ask on."""
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Nobody is here to ask: give --yes.")
        self._show(f"{question} [y/N] ")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError("nothing was done")

    def say(self, text: str) -> None:
        """A line for the person who watches, on stderr."""
        if self.progress is not None:
            self.progress.clear()
        self.stderr.write(text, str)

    def start_progress(self, total: int | None, what: str) -> Progress:
        """Shows from now on how far the command is; what a Ctrl-C reports too."""
        self.progress = Progress(total, what, self._show, is_terminal=self.stderr.isatty())
        return self.progress

    def position(self) -> str:
        """Where it stood, for the line that says why it stopped."""
        return f" after {self.progress.position()}" if self.progress is not None else ""

    def write_json(self, result: Any) -> None:
        """One JSON document on stdout."""
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


def at_least(minimum: int) -> "type[int]":
    """The argparse type of a whole number that is not below `minimum`."""

    def parse(text: str) -> int:
        with suppress(ValueError):
            if (value := int(text)) >= minimum:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {minimum}")

    return parse  # type: ignore[return-value]  # argparse calls it, as it would call `int`


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns under their headings."""
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
    """The services log to stdout; a command's stdout is its result."""
    for logger in (logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)):
        for old in list(logger.handlers):
            new = logging.StreamHandler(sys.stderr)
            new.setFormatter(old.formatter)
            logger.handlers[logger.handlers.index(old)] = new
