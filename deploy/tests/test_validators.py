"""Existing validators check what they can: schemas, general policy, the Dockerfile."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.tests.combinations import OVERLAYS, components
from deploy.tests.conftest import DEPLOY, Render
from packages.preflight.kinds import BUILT_IN

Tool = Callable[[str], str]

pytestmark = pytest.mark.verify

KUBERNETES = ("1.35.0", "1.36.0", "1.37.0")

WAIVED = {
    "CKV_K8S_15": "imagePullPolicy Always: images are named by digest or by the commit, neither of which moves",
    "CKV_K8S_35": "secrets as files: redis_exporter reads its password from its environment only",
    "CKV_K8S_40": "UID above 10000: the images' user is 1001 by contract, user namespaces are the node's to set",
    "CKV_K8S_43": "digest: the deploy workflow writes it; between deploys the commit's tag stands there",
}
"""Checks of checkov that do not hold here, and why."""


@pytest.fixture(scope="session")
def files(rendered: Render, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Each overlay alone, and prod with all components, as files."""
    folder = tmp_path_factory.mktemp("rendered")
    found = []
    for overlay, added in [*((overlay, ()) for overlay in OVERLAYS), ("prod", tuple(components()))]:
        file = folder / f"{overlay}{'-everything' if added else ''}.yaml"
        file.write_text(rendered(overlay, added), encoding="utf-8")
        found.append(file)
    return found


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("version", KUBERNETES)
def test_schemas_hold(tool: Tool, files: list[Path], version: str):
    done = _run(tool("kubernetes-validate"), "--strict", "--no-warn", "-k", version, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_schema_validation_can_fail(tool: Tool, files: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.yaml"
    broken.write_text(files[0].read_text(encoding="utf-8").replace("maxSurge: 1", "maxSurge: 1\n      surge: 1"))
    assert _run(tool("kubernetes-validate"), "--strict", "--no-warn", "-k", KUBERNETES[0], broken).returncode != 0


@pytest.mark.parametrize("version", KUBERNETES)
def test_known_kinds_are_those_of_the_schemas(tool: Tool, version: str):
    packages = Path(tool("kubernetes-validate")).resolve().parents[1] / "lib"
    schemas = next(packages.rglob(f"kubernetes-json-schema/v{version}-local-strict"))
    there = {file.name for file in schemas.glob("*.json")}
    for api_version, kinds in BUILT_IN.items():
        group, _, number = api_version.rpartition("/")
        suffix = f"-{group.split('.')[0]}-{number}.json" if group else f"-{number}.json"
        for kind in kinds.split():
            assert kind.lower() + suffix in there or kind == "List", f"{api_version} {kind}"


def test_policy_holds_but_for_what_is_waived(tool: Tool, files: list[Path]):
    # As a module: the first line of its script is a path, which must have no space.
    checkov = (Path(tool("checkov")).with_name("python"), "-m", "checkov.main")
    found: set[tuple[str, str]] = set()
    for file in files[-2:]:  # prod, alone and with everything
        done = _run(*checkov, "-f", file, "--framework", "kubernetes", "--skip-download", "--quiet", "-o", "json")
        report = json.loads(done.stdout)
        assert report["summary"]["passed"] > 100, "checkov checked hardly anything"
        found |= {(each["check_id"], each["resource"]) for each in report["results"]["failed_checks"]}
    assert {each for each in found if each[0] not in WAIVED} == set()
    assert {check for check, _ in found} == set(WAIVED), "a waiver that nothing needs"


def test_compose_file_is_one(tool: Tool):
    done = _run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout


def test_dockerfile_is_clean_under_hadolint(tool: Tool):
    done = _run(tool("hadolint"), DEPLOY / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_dockerfile_pins_its_base_by_digest():
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_BASE=\S+@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) - {"${PYTHON_BASE}", "scratch"} == {
        "base", "dependencies", "final", "repository", "test-users",
    }  # fmt: skip
