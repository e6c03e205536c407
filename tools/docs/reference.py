"""`python -m tools.docs.reference`: writes the pages of docs/reference that come from the code."""

import importlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import django
import yaml

from common.http.problem import KINDS
from gateway_site.management.own_services import Metric
from gateway_site.management.own_services import metrics as declared
from tools.run.services import further

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
GENERATED = "<!-- Generated from the code by `make schema`. -->"
SITES = {name: f"{name}_site" for name in ("users", "gateway", *further())}
WHERE = {"common": "both", "gateway_site": "gateway", "users_site": "user service"}

COMMANDS_HEAD = f"""\
# Commands

{GENERATED}

The management commands of the two sites. [Operating](../how-to/operating.md) has the rules that all of them follow.
`make help` lists the targets of `make`.
"""
METRICS_HEAD = f"""\
# Metrics

{GENERATED}

Prometheus text at `/metrics` of each service. `process_*` and `python_*` come from prometheus_client.

| name | type | labels | where | meaning |
|---|---|---|---|---|
"""
PROBLEMS_HEAD = f"""\
# Problems

{GENERATED}

Every error of either service is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `instance` (the
path that the client requested), `code`, `request_id`, and for status 400 `errors`, each with `field`, `code` and `detail`.
`type` is a link to the code in this list, which the gateway serves at `/problems`.
"""
API_HEAD = f"""\
# API

{GENERATED}

The operations of the gateway, from its [schema](../openapi/gateway.yaml). A running gateway serves the schema at
`/api/openapi.json`, and a page to try it at `/api/docs`. The user service has the same operations under `/users`.
Every error is a [problem](problems.md).

- Unknown body fields are refused and listed. If a JSON object has a name twice, the last value counts, as in most parsers.
- Unknown query parameters are ignored, so that an older service can answer a newer client. A known parameter may occur once.
- A body with a `Content-Encoding` gets 415: the services accept no compressed bodies.

| request | operation | statuses |
|---|---|---|
"""


class Options:
    """Records the arguments that a command declares; a stand-in for argparse's parser."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def add_argument(self, *names: str, **options: Any) -> None:
        value = options.get("metavar") or "|".join(options.get("choices") or ()) or "VALUE"
        value = value if isinstance(value, str) else " ".join(value)
        if not names[0].startswith("-"):
            argument = options.get("metavar") or names[0]
        else:
            argument = names[-1] if options.get("action") == "store_true" else f"{names[-1]} {value}"
        notes = [options.get("help") or "", "required" if options.get("required") else ""]
        default = options.get("default")
        if default and f"{default}" not in notes[0] and "default: " not in notes[0]:
            notes.append(f"default: {default}")
        self.rows.append((argument, "; ".join(note for note in notes if note)))

    def add_mutually_exclusive_group(self, **_: Any) -> "Options":
        """As argparse's method; the group's arguments join the same table."""
        return self


def commands() -> str:
    text = COMMANDS_HEAD
    for name, site in SITES.items():
        text += f"\n## manage_{name}.py\n"
        paths = [
            path for folder in ("common", site) for path in (ROOT / folder / "management/commands").glob("[a-z]*.py")
        ]
        for path in sorted(paths, key=lambda path: path.stem):
            text += _command(f"manage_{name}.py", path)
    return text


def _command(program: str, path: Path) -> str:
    command = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)).Command()
    options = Options()
    command.add_arguments(options)
    text = f"\n### {path.stem}\n\n```text\n{command.help.strip()}\n```\n"
    if options.rows:
        text += "\n| argument | meaning |\n|---|---|\n" + _rows((f"`{name}`", note) for name, note in options.rows)
    lines = [line.strip().replace("%(prog)s", f"{program} {path.stem}") for line in command.example.splitlines()]
    return text + ("\n```sh\n" + "\n".join(lines) + "\n```\n" if lines else "")


def metrics() -> str:
    return METRICS_HEAD + _rows(
        sorted({_metric(each, where) for folder, where in WHERE.items() for each in declared(folder)})
    )


def _metric(metric: Metric, where: str) -> tuple[str, ...]:
    kind = metric.kind.removesuffix("MetricFamily").lower()
    name = f"{metric.name}_total" if kind == "counter" else metric.name
    return f"`{name}`", kind, ", ".join(f"`{label}`" for label in metric.labels), where, metric.meaning


def problems() -> str:
    text = PROBLEMS_HEAD
    for code, kind in KINDS.items():
        text += f"\n## {code}\n\n**{kind.status}** {kind.title}. {kind.meaning}\n\n"
        text += f"- What to do: {kind.cure}\n- Retry: {kind.retry}.\n"
    return text


def api() -> str:
    paths = yaml.safe_load((ROOT / "docs/openapi/gateway.yaml").read_text("utf-8"))["paths"]
    return API_HEAD + _rows(
        (f"`{method.upper()} {path}`", operation["summary"], ", ".join(sorted(operation["responses"])))
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "responses" in operation
    )


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |\n" for row in rows
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "metrics.md": metrics,
    "problems.md": problems,
    "api.md": api,
}


def main() -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "gateway_site.settings",
        "DEBUG": "true",
        "USER_SERVICE_URL": "http://unused",
    }
    django.setup()
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
