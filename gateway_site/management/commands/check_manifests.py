"""Says what a cluster would suffer from, before it does."""

import os
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from common.cli.console import FORMATS
from common.cli.console import Command as BaseCommand
from packages.preflight import UnreadableError, check_paths


class Command(BaseCommand):
    """Thin skin of `packages.preflight`."""

    help = """\
Checks manifests across objects and against both services. A line for each violation: object: what — why — cure.
Exits 1 if there is one."""
    needs_settings = False
    example = """\
manage_gateway.py check_manifests deploy/kustomize/overlays/prod
  kubectl kustomize deploy/kustomize/overlays/prod > prod.yaml && manage_gateway.py check_manifests prod.yaml"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """PATH…"""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="rendered YAML, or a folder to render")
        parser.add_argument("--format", choices=FORMATS, default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 when there is any violation, or the paths cannot be read."""
        paths: list[Path] = options["paths"]
        try:
            violations = check_paths(paths)
        except UnreadableError as error:
            raise CommandError(str(error), returncode=1) from None
        if options["format"] == "json":
            self.write_json([asdict(violation) for violation in violations])
        elif violations:
            try:
                self.stdout.write("\n".join(map(str, violations)))
                self.stdout.flush()
            except BrokenPipeError:  # `| head` has seen enough; what is left in the buffer goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if violations:
            raise CommandError(f"{len(violations)} violation{'s' if violations[1:] else ''}", returncode=1)
        self.say(f"{', '.join(map(str, paths))}: nothing found")
