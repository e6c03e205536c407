"""Writes the site's OpenAPI schema: `python manage_gateway.py spectacular --file docs/openapi/gateway.yaml`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.cli.console import Command as BaseCommand


class Command(BaseCommand):
    help = "Writes the OpenAPI schema: JSON if the file name ends in .json, else YAML; without --file to stdout."
    needs_settings = False
    example = "%(prog)s --file schema.yaml"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", help="the file to write")

    def handle(self, *args: Any, file: str | None = None, **options: Any) -> None:
        from common.openapi.generate import text

        content = text("json" if file and file.endswith(".json") else "yaml")
        if file is None:
            self.stdout.write(content.decode(), ending="")
            return
        try:
            Path(file).write_bytes(content)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}") from error
