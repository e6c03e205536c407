"""build_image.sh, publish_images.sh, scan_images.sh: what is pushed, named, scanned and signed, and in which order."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tests.pipelines.stage import ROOT, Failure, Stage, stage
from deploy.tests.programs import succeeded

REVISION = "0123456789abcdef0123456789abcdef01234567"
REGISTRY = {"IMAGES": "ghcr.io/DevOps-Challenge", "REVISION": REVISION}
GATEWAY, USERS = f"sha256:{'a1' * 32}", f"sha256:{'b2' * 32}"
DIGESTS = {"DIGESTS": f"api-gateway@{GATEWAY} user-service@{USERS}"}
TOKEN = "ghs_wJalrXUtnFEMI"


@pytest.fixture
def tools(tmp_path: Path) -> Stage:
    return stage(tmp_path / "stage", "docker", "cosign", "trivy")


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    yield
    for folder in ("digests", "scan"):
        shutil.rmtree(ROOT / "build" / folder, ignore_errors=True)
    (ROOT / "build/metadata.json").unlink(missing_ok=True)


def build_all(tools: Stage) -> None:
    for target in ("gateway", "users"):
        for platform in ("amd64", "arm64"):
            succeeded(tools.run("build_image.sh", target, platform, **REGISTRY))


def test_build_attests_and_pushes_without_a_name(tools: Stage):
    assert tools.run("build_image.sh", "gateway", "arm64", **REGISTRY).returncode == 0
    build = next(call for call in tools.calls if "buildx build" in call)
    parts = {
        "--platform linux/arm64", "--target gateway", "--sbom=true", "--provenance=mode=max", "push-by-digest=true",
        f"--build-arg REVISION={REVISION}", "name=ghcr.io/devops-challenge/api-gateway,", "--tag",
    }  # fmt: skip
    assert {part for part in parts if part not in build} == {"--tag"}
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", (ROOT / "build/digests/api-gateway-arm64").read_text())


def test_failed_build_leaves_no_digest(tools: Stage):
    tools.fail(Failure("buildx build"))
    assert tools.run("build_image.sh", "gateway", "amd64", **REGISTRY).returncode != 0
    assert not (ROOT / "build/digests/api-gateway-amd64").exists()


def test_merge_names_the_commit_and_outputs_digests(tools: Stage, tmp_path: Path):
    build_all(tools)
    output = tmp_path / "output"
    succeeded(tools.run("publish_images.sh", "merge", GITHUB_OUTPUT=str(output), **REGISTRY))
    created = [call for call in tools.calls if "imagetools create" in call]
    assert [re.findall(r"--tag (\S+)", call) for call in created] == [
        ["ghcr.io/devops-challenge/api-gateway:sha-0123456"],
        ["ghcr.io/devops-challenge/user-service:sha-0123456"],
    ]
    assert all(len(re.findall(r"@sha256:", call)) == 2 for call in created), "both platforms"
    assert re.fullmatch(r"digests=api-gateway@sha256:\w{64} user-service@sha256:\w{64}\n", output.read_text())


def test_merge_without_one_platform_publishes_nothing(tools: Stage):
    build_all(tools)
    (ROOT / "build/digests/api-gateway-arm64").unlink()
    assert tools.run("publish_images.sh", "merge", **REGISTRY).returncode != 0
    assert not [call for call in tools.calls if "imagetools create" in call]


@pytest.mark.parametrize(
    ("branch", "tags"), [("main", ["main", "latest"]), ("develop", ["develop"]), ("feature/a b", ["feature-a-b"])]
)
def test_names_follow_the_signature_and_latest_is_for_main(tools: Stage, branch: str, tags: list[str]):
    succeeded(tools.run("publish_images.sh", "sign", **REGISTRY, **DIGESTS, BRANCH=branch))
    expected = [
        f"cosign sign --yes --new-bundle-format=false --use-signing-config=false ghcr.io/devops-challenge/{each}"
        for each in (f"api-gateway@{GATEWAY}", f"user-service@{USERS}")
    ]
    assert tools.calls[:2] == expected
    created = [re.search(r"--tag \S+:(\S+) \S+@(\S+)$", call) for call in tools.calls[2:]]
    assert [match.groups() for match in created] == [(tag, digest) for digest in (GATEWAY, USERS) for tag in tags]


def test_unsigned_image_gets_no_name(tools: Stage):
    tools.fail(Failure("^cosign sign .*user-service"))
    assert tools.run("publish_images.sh", "sign", **REGISTRY, **DIGESTS, BRANCH="main").returncode != 0
    assert not [call for call in tools.calls if "imagetools" in call]


def test_scan_is_of_the_exact_digests(tools: Stage):
    assert tools.run("scan_images.sh", "report", **REGISTRY, **DIGESTS).returncode == 0
    assert tools.run("scan_images.sh", "gate", **REGISTRY, **DIGESTS).returncode == 0
    scanned = [call.rsplit(" ", 1)[-1] for call in tools.calls]
    assert scanned == 2 * [
        f"ghcr.io/devops-challenge/api-gateway@{GATEWAY}",
        f"ghcr.io/devops-challenge/user-service@{USERS}",
    ]
    categories = {name: (ROOT / f"build/scan/{name}.sarif").read_text() for name in ("api-gateway", "user-service")}
    assert all(f'"id": "trivy/{name}/"' in text for name, text in categories.items())


def test_gate_fails_on_what_has_a_fix_and_looks_at_both(tools: Stage):
    tools.fail(Failure("trivy image .*--exit-code 1 .*api-gateway"))
    assert tools.run("scan_images.sh", "gate", **REGISTRY, **DIGESTS).returncode == 1
    assert len(tools.calls) == 2
    assert all("--ignore-unfixed --severity CRITICAL,HIGH" in call for call in tools.calls)


def test_scanner_that_fails_is_not_a_clean_report(tools: Stage):
    tools.fail(Failure("--format sarif"))
    assert tools.run("scan_images.sh", "report", **REGISTRY, **DIGESTS).returncode != 0


def test_registry_token_goes_through_stdin(tools: Stage):
    done = succeeded(tools.run("registry_login.sh", REGISTRY_USER="somebody", REGISTRY_TOKEN=TOKEN))
    assert TOKEN not in done.stdout + done.stderr + "".join(tools.calls)
    assert tools.text("stdin") == f"{TOKEN}\n"


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("build_image.sh", ()),
        ("build_image.sh", ("gateway", "riscv")),
        ("publish_images.sh", ()),
        ("scan_images.sh", ("look",)),
        ("registry_login.sh", ()),
        ("test_site.sh", ("both",)),
        ("combine_coverage.sh", ()),
    ],
)
def test_wrong_usage_is_2_and_calls_no_program(tools: Stage, script: str, arguments: tuple[str, ...]):
    assert tools.run(script, *arguments, **REGISTRY, **DIGESTS).returncode == 2
    assert tools.calls == []
