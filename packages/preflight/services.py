"""Our two services, as their own code says what they are: settings, paths, metrics. Nothing is written down twice.

The names of settings and metrics are read from the source (a setting that only another setting's value asks for counts
too); what a setting's value means, and which paths are served, is asked of the site itself, started with the pod's
environment (`site_process.py`). The user service is read as data and as a process: the sites never import each other.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from packages.preflight.environment import Environment

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
READERS = {"text", "required", "secret", "boolean", "integer", "listing", "choice", "parsed"}
METRIC_TYPES = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_count", "_sum"),
    "Summary": ("", "_count", "_sum"),
}
FAMILY_TYPES = {"GaugeMetricFamily": ("",), "CounterMetricFamily": ("_total",)}
ENVIRONMENT_OF_OTHERS = (
    "OTEL_",
    "PYTHON",
    "GUNICORN_",
    "SSL_CERT_",
    "DJANGO_SETTINGS_MODULE",
    "HOME",
    "PATH",
    "TZ",
    "LANG",
    "LC_",
)
PLACEHOLDER = "known-only-to-the-cluster-" * 3
RIGHT: Environment = {
    "SECRET_KEY": None,
    "ALLOWED_HOSTS": "placeholder",
    "AUTH": "none",
    "REDIS_HOST": "placeholder",
    "USER_SERVICE_URL": "http://placeholder",
}
"""Settings under which either site starts, to ask it what does not depend on them."""


@dataclass(frozen=True)
class Started:
    """What a site says of itself under one environment."""

    error: str | None
    drain_seconds: float = 0.0
    grace_seconds: float = 0.0
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """One of the two services."""

    name: str
    module: str
    default_port: int

    @cached_property
    def settings(self) -> frozenset[str]:
        """The names of the settings that its code reads."""
        return frozenset(name for tree in _trees(self.module) for name in _settings(tree))

    @cached_property
    def metrics(self) -> dict[str, frozenset[str]]:
        """Each series name that its code exposes, and its labels."""
        return {name: labels for tree in _trees(self.module) for name, labels in _metrics(tree)}

    def knows(self, variable: str) -> bool:
        """Whether an environment variable means something to it (or to what it runs on)."""
        name = variable.removesuffix("_FILE")
        return variable in self.settings or name in self.settings or variable.startswith(ENVIRONMENT_OF_OTHERS)

    def start(self, environment: Environment) -> Started:
        """Its settings under a pod's environment."""
        said = _ask(self.module, frozenset(environment.items()), ())
        return Started(**said | {"allowed_hosts": tuple(said.get("allowed_hosts", ()))})

    def views(self, paths: set[str]) -> dict[str, str]:
        """Each of these paths that it serves, and the name of the view that does."""
        return cast(dict[str, str], _ask(self.module, frozenset(RIGHT.items()), tuple(sorted(paths)))["views"])


GATEWAY = Service("api-gateway", "gateway_site", 3000)
USERS = Service("user-service", "users_site", 3001)
SERVICES = (GATEWAY, USERS)


@cache
def _trees(module: str) -> tuple[ast.Module, ...]:
    files = sorted(file for folder in ("common", module) for file in (ROOT / folder).rglob("*.py"))
    mine = [file for file in files if not {"tests", "manifests"} & set(file.relative_to(ROOT).parts)]
    return tuple(ast.parse(file.read_text(encoding="utf-8")) for file in mine)


def _calls(tree: ast.Module) -> Iterator[tuple[str, str, ast.Call]]:
    """Each call whose first argument is a literal text: the function's name, the text, the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if isinstance(node.args[0].value, str):
                yield function, node.args[0].value, node


def _settings(tree: ast.Module) -> Iterator[str]:
    for function, name, _ in _calls(tree):
        if function in READERS and name.isupper():
            yield name


def _metrics(tree: ast.Module) -> Iterator[tuple[str, frozenset[str]]]:
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function, name, call in _calls(tree):
        for suffix in {**METRIC_TYPES, **FAMILY_TYPES}.get(function, ()):
            labels = (
                call.args[2]
                if len(call.args) > 2
                else next((word.value for word in call.keywords if word.arg in {"labelnames", "labels"}), None)
            )
            if isinstance(labels, ast.Name):
                labels = constants.get(labels.id)
            names = [each.value for each in getattr(labels, "elts", []) if isinstance(each, ast.Constant)]
            base = name.removesuffix("_total") if suffix == "_total" else name
            yield base + suffix, frozenset(map(str, names))


@lru_cache(maxsize=256)
def _ask(module: str, environment: frozenset[tuple[str, str | None]], paths: tuple[str, ...]) -> dict[str, Any]:
    """What `site_process` says of a site under an environment."""
    with tempfile.TemporaryDirectory() as folder:  # also the working directory, so that no `.env` gets in
        placeholder = Path(folder, "secret")
        placeholder.write_text(PLACEHOLDER, encoding="utf-8")
        variables = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
        for name, value in environment:
            is_file = name.endswith("_FILE") and value != ""
            variables[name] = str(placeholder) if is_file else PLACEHOLDER if value is None else value
        command = [sys.executable, "-m", "packages.preflight.site_process", module, *paths]
        done = subprocess.run(
            command, env=variables, cwd=folder, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
    try:
        return cast(dict[str, Any], json.loads(done.stdout))
    except json.JSONDecodeError:
        raise RuntimeError(f"{module} does not say what it is: {done.stderr[-2000:]}") from None
