"""The OpenAPI documents under two linters, and compared with those of the last release. Each check is also seen to fail."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.programs import ROOT, run, succeeded

Change = Callable[[dict[str, Any]], object]

pytestmark = pytest.mark.verify

FOLDER, SETTINGS = ROOT / "docs" / "openapi", ROOT / "tools" / "schema"
SCHEMAS = [FOLDER / f"{site}.yaml" for site in ("gateway", "users")]
USERS, USER = "/api/users", "/api/users/{id}"

BREAKS: dict[str, Change] = {
    "path removed": lambda new: new["paths"].pop(USER),
    "operation renamed": lambda new: new["paths"][USER]["get"].update(operationId="read"),
    "credential required": lambda new: new["paths"][USER]["get"].update(security=[{"bearerAuth": []}]),
    "status of an error removed": lambda new: new["paths"][USER]["get"]["responses"].pop("404"),
    "parameter removed": lambda new: new["paths"][USERS]["get"]["parameters"].pop(),
    "field required": lambda new: new["components"]["schemas"]["UserRequest"]["required"].append("role"),
    "length limited": lambda new: new["components"]["schemas"]["UserRequest"]["properties"]["name"].update(
        maxLength=10
    ),
    "pattern changed": lambda new: new["components"]["schemas"]["UserRequest"]["properties"]["name"].update(
        pattern="^a"
    ),
    "field of an answer removed": lambda new: new["components"]["schemas"]["User"]["properties"].pop("role"),
    "value of an answer added": lambda new: new["components"]["schemas"]["ProblemCode"]["enum"].append("teapot"),
}


def compared(old: Path, new: Path) -> tuple[int, str]:
    options = ("--flatten-allof", "--fail-on", "WARN", "--severity-levels", SETTINGS / "severities.txt")
    done = run("oasdiff", "breaking", *options, old, new)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
def test_no_change_since_the_last_release_breaks_a_client(schema: Path) -> None:
    status, found = compared(FOLDER / "released" / schema.name, schema)
    assert status == 0, found


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_a_change_that_breaks_clients_is_found(tmp_path: Path, change: Change) -> None:
    document = yaml.safe_load(SCHEMAS[0].read_text())
    change(document)
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(document))
    status, found = compared(SCHEMAS[0], tmp_path / "new.yaml")
    assert status == 1, found


@pytest.fixture(scope="module")
def linters() -> Path:
    """Both, from the registry of npm, as the lock file has them."""
    folder = ROOT / "build" / "schema-linters"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SETTINGS / name, folder)
    succeeded(run("npm", "ci", "--silent", "--ignore-scripts", folder=folder))
    return folder / "node_modules" / ".bin"


def redocly(linters: Path, *schemas: Path) -> tuple[int, str]:
    done = run(linters / "redocly", "lint", "--extends", "recommended", "--max-problems", "1000", *schemas)
    # It exits with 0 for warnings.
    return done.returncode or "warning" in done.stderr.partition("validating")[2].lower(), done.stdout + done.stderr


def spectral(linters: Path, *schemas: Path) -> tuple[int, str]:
    done = run(
        linters / "spectral", "lint", "--fail-severity", "hint", "--ruleset", SETTINGS / "spectral.yaml", *schemas
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("lint", [redocly, spectral])
def test_linters_find_nothing_and_would(linters: Path, tmp_path: Path, lint: Callable[..., tuple[int, str]]) -> None:
    status, found = lint(linters, *SCHEMAS)
    assert status == 0, found
    broken = tmp_path / "broken.yaml"
    broken.write_text(SCHEMAS[0].read_text().replace("operationId: get_user\n", "operationId: list_users\n"))
    assert lint(linters, broken)[0] != 0
