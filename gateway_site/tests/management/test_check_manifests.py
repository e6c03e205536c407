"""`check_manifests` as an operator runs it: paths in, lines and an exit code out."""

import json
import os
import re
from pathlib import Path
from urllib.request import urlopen

import pytest

from gateway_site.management.own_services import PATHS, _calls, own_services
from gateway_site.tests.management.conftest import called, failing
from packages.preflight import Environment, check, read
from packages.preflight.tests.mutants import Objects
from tools.processes.service import ROOT, Service

FOLDER = ROOT / "packages" / "preflight" / "tests"
CHECK = "check_manifests"


def test_sound_file_is_quiet():
    assert called(CHECK, FOLDER / "sound.yaml") == ("", f"{FOLDER / 'sound.yaml'}: nothing found\n")


def test_broken_file_fails_with_a_line_each():
    output, error = failing(CHECK, FOLDER / "broken.yaml")
    assert error.returncode == 1
    assert str(error) == f"{len(output.splitlines())} findings"
    assert all(re.fullmatch(r".+/.+: .+ — .+ — .+ \[M\d{3}\]", line) for line in output.splitlines())
    assert "SECRET_KEY is not set — api-gateway stops at start" in output


def test_json_has_the_rule_and_the_severity():
    output, _ = failing(CHECK, FOLDER / "broken.yaml", "--format", "json", "--only", "M003")
    [finding] = json.loads(output)
    assert (finding["object"], finding["rule"], finding["severity"]) == (
        "Deploymentt/api-gateway",
        "M003",
        "error",
    )
    assert finding.keys() == {"object", "what", "why", "cure", "rule", "severity"}


def test_only_and_skip_choose_rules():
    output, _ = failing(CHECK, FOLDER / "broken.yaml", "--only", "M003", "M102", "--skip", "M003")
    assert {line[-6:] for line in output.splitlines()} == {"[M102]"}


def test_strict_shows_warnings():
    path = FOLDER / "strangers" / "kube-prometheus.yaml"
    assert "nothing found" in called(CHECK, path)[1]
    assert "[M602]" in failing(CHECK, path, "--strict")[0]


def test_rules_are_listed_with_id_severity_and_title():
    lines = called(CHECK, "--list-rules")[0].splitlines()
    assert "M102 error   Service without endpoints" in lines
    assert len(lines) > 60


def test_folder_is_read_as_one(tmp_path: Path):
    service, deployment = (FOLDER / "broken.yaml").read_text(encoding="utf-8").split("---\n")[::-1]
    (tmp_path / "service.yaml").write_text(service, encoding="utf-8")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "deployment.yml").write_text(deployment, encoding="utf-8")
    assert "select labels that a pod has: app=backend" in failing(CHECK, tmp_path)[0]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nowhere", None, "does not exist: name rendered YAML"),
        ("", None, "holds no YAML"),
        ("x.yaml", b"\xff\xfe", "cannot be read"),
    ],
)
def test_path_that_holds_no_manifests_is_one_line(tmp_path: Path, name: str, content: bytes | None, says: str):
    if content:
        (tmp_path / name).write_bytes(content)
    error = failing(CHECK, tmp_path / name)[1]
    assert (error.returncode, says in str(error)) == (1, True)


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name; a test writes its script."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def test_overlays_are_rendered_without_their_bases_and_components(tmp_path: Path, kubectl: Path):
    kubectl.write_text(f'#!/bin/sh\necho "$2" >>"{tmp_path}/rendered"\ncat "{FOLDER}/sound.yaml"\n', encoding="utf-8")
    for folder, content in (
        ("overlays/one", "resources: [../../base]"),
        ("base", "resources: [gateway]"),
        ("base/gateway", ""),
        ("components/door", "kind: Component"),
        (".git/old", "resources: []"),
    ):
        (tmp_path / "all" / folder).mkdir(parents=True)
        (tmp_path / "all" / folder / "kustomization.yaml").write_text(content, encoding="utf-8")
        (tmp_path / "all" / folder / "patch.yaml").write_text("- no: object\n", encoding="utf-8")
    for path in (tmp_path / "all", tmp_path / "all" / "overlays" / "one"):
        assert "nothing found" in called(CHECK, path)[1]
    assert (tmp_path / "rendered").read_text().split() == [str(tmp_path / "all/overlays/one")] * 2


def test_error_of_kubectl_and_a_missing_one_are_one_line(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch
):
    kubectl.write_text("#!/bin/sh\nprintf 'no such\\nbase' >&2; exit 1\n", encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text("resources: []\n", encoding="utf-8")
    assert "does not render: no such base" in str(failing(CHECK, tmp_path)[1])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no kubectl" in str(failing(CHECK, tmp_path)[1])


def test_no_path_is_wrong_usage():
    assert failing(CHECK)[1].returncode == 2


def test_services_are_described_by_their_code():
    gateway, users = own_services()
    assert {"PORT", "USER_SERVICE_URL", "DRAIN_SECONDS", "RATE_LIMIT", "UPSTREAM_TIMEOUT_MS"} <= gateway.settings
    assert {"PORT", "REDIS_PASSWORD", "DRAIN_SECONDS", "REDIS_TIMEOUT_MS"} <= users.settings
    assert not gateway.settings & {"REDIS_PASSWORD"}
    assert gateway.metrics["upstream_request_duration_seconds_bucket"] == {"service", "method", "status_code"}
    assert gateway.metrics["http_requests_total"] == {"method", "route", "status_code"}
    assert users.metrics["users_total"] == frozenset()
    assert users.reads("SECRET_KEY_FILE")
    assert not users.reads("SECRET_KEYS")


def test_a_checkout_in_a_folder_of_tests_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tests").symlink_to(ROOT)
    monkeypatch.setattr("gateway_site.management.own_services.ROOT", tmp_path / "tests")
    assert _calls.__wrapped__("users_site")


def test_settings_are_those_of_the_pod():
    _, users = own_services()
    environment: Environment = {"SECRET_KEY_FILE": "/run/secrets/key", "ALLOWED_HOSTS": "a,b", "REDIS_HOST": "redis"}
    environment["DRAIN_SECONDS"] = "7"
    started = users.start(environment, {})
    assert (started.error, started.drain_seconds, started.allowed_hosts) == (None, 7, ("a", "b"))
    assert started.grace_seconds > 0
    refused = users.start({**environment, "LOG_LEVEL": "verbose"}, {})
    assert (refused.error or "").startswith("LOG_LEVEL is 'verbose'")
    assert refused.drain_seconds == 7


@pytest.mark.parametrize("path", PATHS)
def test_paths_for_probes_are_served_by_both(gateway_service: Service, users_service: Service, path: str):
    for service in (gateway_service, users_service):
        with urlopen(f"{service.url}{path}", timeout=10) as answer:  # noqa: S310 - of our own service
            assert answer.status == 200


ROUTES = """
routes:
  - {prefix: /api/orders, upstream: "http://user-service:3001", rewrite: /users, schema: orders.yaml} # not http://old:1
  - {prefix: /shop, upstream: shop}
upstreams: {shop: {url: "https://shop.example.com", tls: {ca: /run/secrets/shop/ca.crt}}}
"""
SCHEMA = "{openapi: 3.1.0, paths: {/users: {get: {responses: {200: {description: All}}}}}}"


@pytest.fixture
def routed() -> Objects:
    """A sound deployment whose gateway has a table and a schema from a ConfigMap."""
    objects = Objects(read([FOLDER / "sound.yaml"], own_services())[0])
    data = {"routes.yaml": ROUTES, "orders.yaml": SCHEMA}
    objects.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "api-gateway-routes"}, "data": data})
    objects.settings("api-gateway")["ROUTES"] = "/etc/gateway/routes.yaml"
    volume = {"name": "routes", "configMap": {"name": "api-gateway-routes"}}
    objects.pod("api-gateway")["volumes"].append(volume)
    mount = {"name": "routes", "mountPath": "/etc/gateway", "readOnly": True}
    objects.container("api-gateway")["volumeMounts"].append(mount)
    return objects


def change(objects: Objects, old: str, new: str) -> None:
    data = objects("ConfigMap", "api-gateway-routes")["data"]
    data["routes.yaml"] = data["routes.yaml"].replace(old, new)


def test_a_table_of_routes_from_a_config_map_is_read(routed: Objects):
    assert check(routed.rendering) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "what"),
    [
        ("user-service:3001", "order-service:3001", "M302", "ROUTES names host 'order-service', which is not a Service"),
        ("user-service:3001", "user-service:80", "M302", "ROUTES names user-service:80, Service/"),
        ("user-service:3001", "redis:6379", "M500", "no network policy lets it out to StatefulSet/"),
        ("schema:", "scheme:", "M701", "ROUTES: /etc/gateway/routes.yaml line 3: unknown field 'scheme'"),
        ("orders.yaml", "order.yaml", "M701", "line 3: schema order.yaml: /etc/gateway/order.yaml cannot be read (No such"),
    ],
)  # fmt: skip
def test_a_fault_in_the_table_is_found(routed: Objects, old: str, new: str, rule: str, what: str):
    change(routed, old, new)
    found = check(routed.rendering)
    assert [each.rule for each in found if what in each.what] == [rule], found


def test_a_loopback_upstream_is_found(routed: Objects):
    routed.settings("api-gateway")["LOOPBACK_UPSTREAMS"] = "false"
    change(routed, "user-service:3001", "localhost:3001")
    (found,) = check(routed.rendering)
    assert (found.rule, "http://localhost:3001 is this container" in found.what) == ("M701", True)


def test_a_table_that_is_not_mounted_is_found_and_one_of_a_secret_is_believed(routed: Objects):
    routed.settings("api-gateway")["ROUTES"] = "/etc/gateway/other.yaml"
    assert [each.rule for each in check(routed.rendering)] == ["M306"]
    routed.settings("api-gateway")["ROUTES"] = "/run/secrets/api-gateway/secret-key"
    assert check(routed.rendering) == []
