"""Finds mistakes in rendered manifests: between objects, and between objects and the caller's services.

Schemas are checked by kubernetes-validate, hardening in general by checkov. A rule (`rules/`) is a function from a
rendering to hits, registered with its ID. The caller describes its services (`Service`); the package imports none.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import packages.preflight.rules  # noqa: F401 - fills RULES
from packages.preflight.objects import Manifest
from packages.preflight.reading import UnreadableError, read, render
from packages.preflight.registry import RULES, Finding
from packages.preflight.rendering import Rendering
from packages.preflight.rules.identity import corrected
from packages.preflight.services import Environment, Files, Service, Started

__all__ = [
    "RULES",
    "Environment",
    "Files",
    "Finding",
    "Manifest",
    "Rendering",
    "Service",
    "Started",
    "UnreadableError",
    "check",
    "check_paths",
    "read",
    "render",
]


def check(
    rendering: Rendering, *, only: Collection[str] = (), skip: Collection[str] = (), is_strict: bool = False
) -> list[Finding]:
    """The findings in the order of their objects: errors, and with `is_strict` also warnings."""
    meant = corrected(rendering)  # for all rules but M003, which names the kinds as written
    found = {
        finding
        for rule in RULES.values()
        if rule.id not in skip and (not only or rule.id in only)
        for finding in rule.findings(rendering if rule.id == "M003" else meant)
        if is_strict or finding.severity == "error"
    }
    return sorted(found)


def check_paths(
    paths: Iterable[Path],
    services: Iterable[Service] = (),
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    is_strict: bool = False,
) -> list[Finding]:
    """The findings in the files and renderings of the paths. Raises UnreadableError."""
    rendering, unreadable = read(paths, services)
    return sorted([*unreadable, *check(rendering, only=only, skip=skip, is_strict=is_strict)])
