"""The settings in manifests and compose.yaml against the services' own settings."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.conftest import DEPLOY
from gateway_site.management.own_services import own_services
from packages.preflight import Service
from tests.in_process import evaluated

GATEWAY, USERS = SERVICES = own_services()
BASE = {GATEWAY: DEPLOY / "kustomize" / "base" / "gateway", USERS: DEPLOY / "kustomize" / "base" / "users"}
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SITES = {GATEWAY: "gateway_site", USERS: "users_site"}

OWN = {
    GATEWAY: {"ALLOWED_HOSTS", "USER_SERVICE_URL", "LOOPBACK_UPSTREAMS", "AUTH", "AUTH_API_KEYS_FILE"},
    USERS: {"ALLOWED_HOSTS", "REDIS_HOST"},
}
"""Settings for which the base has another value; every other one repeats the default, to be visible."""


def _env_file(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))  # type: ignore[misc]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_base_restates_defaults_as_they_are(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # without a .env
    written = _env_file(BASE[service] / "settings.env")
    own = {name: value for name, value in written.items() if name in OWN[service]}
    assert set(own) == OWN[service]
    with_defaults, without = (evaluated(SITES[service], REDIS_URL="", **given) for given in (written, own))
    assert with_defaults == without


def _compose_environment(service: Service) -> dict[str, str]:
    found = COMPOSE["services"][service.name]
    files = {name: value for path in found["env_file"] for name, value in _env_file(DEPLOY / path).items()}
    given = {name: value.partition(":-")[2].rstrip("}") if "${" in value else value
             for name, value in found["environment"].items()}  # fmt: skip
    return files | given


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_compose_gives_settings_that_the_service_reads_and_takes(service: Service):
    environment = _compose_environment(service)
    assert {name for name in environment if not service.reads(name)} == set()
    assert service.start({**environment}, {}).error is None


def test_compose_scrapes_with_the_labels_that_the_rules_select():
    config = yaml.safe_load(COMPOSE["configs"]["prometheus"]["content"])
    patterns = yaml.safe_load((DEPLOY / "monitoring" / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    wanted = [each["static_configs"][0] for each in patterns if each.get("honor_labels")]
    (job,) = config["scrape_configs"]
    assert job["honor_labels"] is True
    assert job["static_configs"] == wanted
