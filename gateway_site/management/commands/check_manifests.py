"""`check_manifests`: finds mistakes in manifests before a cluster does."""

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from common.cli.console import Command as BaseCommand
from common.cli.console import add_format
from gateway_site.management.own_services import own_services
from packages.preflight import RULES, UnreadableError, check_paths


class Command(BaseCommand):
    help = """\
Compares manifests with each other and with both services. Prints a line per finding: object: what — why — cure [rule].
Exits 1 if there is one. --strict shows warnings too: guesses, and opinions on the workloads of others."""
    needs_settings = False
    example = """\
manage_gateway.py check_manifests deploy/kustomize/overlays/prod
  kubectl kustomize deploy/kustomize/overlays/prod > prod.yaml && manage_gateway.py check_manifests prod.yaml
  manage_gateway.py check_manifests --list-rules"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="rendered YAML, or a folder to render")
        parser.add_argument(
            "--only", nargs="+", default=(), choices=sorted(RULES), metavar="ID", help="apply only these rules"
        )
        parser.add_argument(
            "--skip", nargs="+", default=(), choices=sorted(RULES), metavar="ID", help="omit these rules"
        )
        parser.add_argument("--strict", action="store_true", help="show warnings too, and fail on them")
        add_format(parser)
        parser.add_argument("--list-rules", action="store_true", help="list the rules and exit")

    def handle(self, *args: Any, **options: Any) -> None:
        paths: list[Path] = options["paths"]
        if options["list_rules"]:
            rules = [RULES[name] for name in sorted(RULES)]
            self.stdout.write("\n".join(f"{rule.id} {rule.severity:7} {rule.title}" for rule in rules))
            return
        if not paths:
            raise CommandError("name a PATH: rendered YAML files or folders", returncode=2)
        chosen = {"only": options["only"], "skip": options["skip"], "is_strict": options["strict"]}
        try:
            findings = check_paths(paths, own_services(), **chosen)
        except UnreadableError as error:
            raise CommandError(str(error), returncode=1) from None
        if options["format"] == "json":
            self.write_json([asdict(finding) for finding in findings])
        elif findings:
            self.stdout.write("\n".join(map(str, findings)))
        if findings:
            raise CommandError(f"{len(findings)} finding{'s' if findings[1:] else ''}", returncode=1)
        self.say(f"{', '.join(map(str, paths))}: nothing found")
