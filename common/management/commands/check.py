"""`check [--deploy]`: Django's checks, with findings on stdout, as text or JSON."""

from logging import getLevelName
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.check import Command as DjangoCheck

from common.cli import console


class Command(console.Command, DjangoCheck):
    """Django's command writes everything to stderr, in its own format."""

    help = """\
Checks this service; with --deploy also its configuration for production. Each finding has an ID and a cure. To accept
findings, set their IDs in SILENCED_SYSTEM_CHECKS. Exits 1 for a finding of --fail-level (default: ERROR) or above."""
    example = "%(prog)s --deploy --fail-level WARNING\n  %(prog)s --deploy --format json"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        console.add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Reports the findings. Raises CommandError for findings of the requested level."""
        if options["list_tags"]:
            super().handle(*args, **options)
            return
        try:
            configs = [apps.get_app_config(label) for label in args] or None
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from error
        for tag in options["tags"] or ():
            if not checks.tag_exists(tag, include_deployment_checks=options["deploy"]):
                raise CommandError(f"there is no check with the tag {tag}", returncode=2)
        found = checks.run_checks(configs, tags=options["tags"], include_deployment_checks=options["deploy"])
        found = [message for message in found if not message.is_silenced()]
        shown = [as_object(message) for message in found]
        if options["format"] == "json":
            self.write_json(shown)
        for finding in shown if options["format"] == "text" else ():
            self.stdout.write("{id} {level}: {what}\n    {cure}".format_map(finding).rstrip())
        bad = sum(message.level >= getattr(checks, options["fail_level"]) for message in found)
        if bad:
            raise CommandError(f"{bad} of {len(shown)} findings are of level {options['fail_level']} or above")
        if shown:
            self.say(f"{len(shown)} findings, none of level {options['fail_level']} or above")
        elif options["format"] == "text":
            self.stdout.write("nothing found")


def as_object(message: checks.CheckMessage) -> dict[str, Any]:
    level = getLevelName(message.level).lower()  # Django's levels are those of logging
    return {"id": message.id, "level": level, "what": message.msg, "cure": message.hint or ""}
