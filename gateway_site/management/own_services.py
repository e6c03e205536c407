"""Describes our two services to `check_manifests`, from their code and settings.

The sites must not import each other, so this reads the user service's source and starts its settings in a process.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from packages.preflight import Environment, Files, Service, Started

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
PATHS = {"/health": "", "/health/live": "live", "/health/ready": "ready", "/metrics": "metrics", "/version": ""}
"""Paths of both services; a test requests each."""
OTHER_VARIABLES = (
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
SERIES = {
    "Counter": ("_total",),
    "CounterMetricFamily": ("_total",),
    "Gauge": ("",),
    "GaugeMetricFamily": ("",),
    "Histogram": ("_bucket", "_count", "_sum"),
    "histogram": ("_bucket", "_count", "_sum"),
    "Summary": ("", "_count", "_sum"),
}
TABLES = frozenset({"ROUTES"})
PLACEHOLDER = "only-the-cluster-has-it-" * 3
VALID: Environment = {
    "SECRET_KEY": PLACEHOLDER,
    "ALLOWED_HOSTS": "placeholder",
    "AUTH": "none",
    "REDIS_HOST": "placeholder",
    "USER_SERVICE_URL": "http://placeholder",
}
"""Settings with which either site starts."""
WITHOUT_FILES = {"gateway_site": "from gateway_site.routes.table import Tls; Tls.context = lambda _: None\n"}
"""Without the PEM files that a table names: they come from Secrets, which only the cluster has."""
SHOW = """
import json
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
try:
    found = {
        "error": None,
        "drain_seconds": settings.DRAIN_SECONDS,
        "grace_seconds": settings.GRACE_SECONDS,
        "allowed_hosts": list(settings.ALLOWED_HOSTS),
        "calls": [each.url for each in settings.ROUTES.upstreams.values()] if hasattr(settings, "ROUTES") else [],
    }
except ImproperlyConfigured as error:
    found = {"error": str(error)}
print(json.dumps(found))
"""


class Metric(NamedTuple):
    """`kind`: the class of prometheus_client, or our function for one."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...]


@cache
def _calls(folder: str) -> list[tuple[ast.Module, ast.Call, str]]:
    """Each call with a literal first argument, in the files that read a setting or declare a metric."""
    found = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if "tests" not in file.relative_to(ROOT).parts and any(word in source for word in ("environment.", *SERIES)):
            tree = ast.parse(source)
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            literal = [call for call in calls if call.args and isinstance(call.args[0], ast.Constant)]
            found += [(tree, call, str(call.args[0].value)) for call in literal]  # type: ignore[attr-defined]
    return found


def _settings(module: str) -> frozenset[str]:
    """The names that the code reads through `common.config.environment`, without `NAME_FILE`."""
    names = {
        name
        for _, call, name in (*_calls("common"), *_calls(module))
        if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "environment"
        if name.isupper() and not name.startswith("OTEL_")
    }
    return frozenset(names - {f"{name}_FILE" for name in names})


def metrics(folder: str) -> Iterator[Metric]:
    """The metrics that the code in a folder declares: `Counter("name", "meaning", ("label",))`; the labels may be a
    constant."""
    for tree, call, name in _calls(folder):
        kind = getattr(call.func, "id", "")
        if kind not in SERIES:
            continue
        labels = next((each.value for each in call.keywords if each.arg in {"labelnames", "labels"}), None)
        labels = call.args[2] if len(call.args) > 2 else labels
        if isinstance(labels, ast.Name):
            assigned = (node for node in tree.body if isinstance(node, ast.Assign))
            labels = next((node.value for node in assigned if getattr(node.targets[0], "id", "") == labels.id), None)
        yield Metric(name, kind, ast.literal_eval(call.args[1]), ast.literal_eval(labels) if labels else ())


def _series(module: str) -> dict[str, frozenset[str]]:
    found = (*metrics("common"), *metrics(module))
    return {
        each.name.removesuffix(suffix) + suffix: frozenset(each.labels)
        for each in found
        for suffix in SERIES[each.kind]
    }


@lru_cache(maxsize=256)
def _shown(module: str, environment: frozenset[tuple[str, str | None]], files: frozenset[tuple[str, str]]) -> Started:
    with tempfile.TemporaryDirectory() as folder:  # also the working directory, so that no `.env` is read
        secret = Path(folder, "secret")
        secret.write_text(PLACEHOLDER, encoding="utf-8")
        variables = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
        for path, content in files:
            mounted = Path(folder + path)
            mounted.parent.mkdir(parents=True, exist_ok=True)
            mounted.write_text(content, encoding="utf-8")
        for name, value in environment:
            is_file = name.endswith("_FILE") and value != ""
            variables[name] = str(secret) if is_file else PLACEHOLDER if value is None else value
            if name in TABLES and variables[name].startswith("/"):
                known = variables[name] in dict(files)  # else from a Secret
                variables[name] = folder + variables[name] if known else "/api/users=http://known.to.the.cluster/users"
        variables["DJANGO_SETTINGS_MODULE"] = f"{module}.settings"
        command = [sys.executable, "-c", WITHOUT_FILES.get(module, "") + SHOW]
        done = subprocess.run(
            command, env=variables, cwd=folder, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{module} does not show its settings: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.replace(folder, ""))
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Started(**found | lists)


def _start(module: str, environment: Environment, files: Files) -> Started:
    started = _shown(module, frozenset(environment.items()), frozenset(files.items()))
    if started.error is None:
        return started
    # How long the shutdown takes does not depend on the setting that is refused.
    drain = environment.get("DRAIN_SECONDS") or ""
    valid = VALID | ({"DRAIN_SECONDS": drain} if drain.isdecimal() else {})
    return replace(
        _shown(module, frozenset(valid.items()), frozenset()), error=started.error, allowed_hosts=(), calls=()
    )


def _service(name: str, module: str, port: int, timeout: tuple[str, int], **roles: bool) -> Service:
    settings, start, series = _settings(module), partial(_start, module), _series(module)
    return Service(name, port, settings, start, OTHER_VARIABLES, PATHS, series, settings & TABLES, timeout, **roles)


@cache
def own_services() -> tuple[Service, Service]:
    return (
        _service("api-gateway", "gateway_site", 3000, ("UPSTREAM_TIMEOUT_MS", 5000), is_door=True),
        _service("user-service", "users_site", 3001, ("REDIS_TIMEOUT_MS", 1000), keeps_data=True),
    )
