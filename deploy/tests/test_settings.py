"""The settings in manifests and compose.yaml against the services' own settings."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.conftest import DEPLOY
from deploy.tests.programs import run
from gateway_site.management.own_services import own_services
from packages.preflight import Service

GATEWAY, USERS = SERVICES = own_services()
BASE = {GATEWAY: DEPLOY / "kustomize" / "base" / "gateway", USERS: DEPLOY / "kustomize" / "base" / "users"}
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SITES = {GATEWAY: "gateway_site.settings", USERS: "users_site.settings"}

OWN = {
    GATEWAY: {"ALLOWED_HOSTS", "USER_SERVICE_URL", "LOOPBACK_UPSTREAMS", "AUTH", "AUTH_API_KEYS_FILE"},
    USERS: {"ALLOWED_HOSTS", "REDIS_HOST"},
}
"""Settings for which the base has another value; every other one repeats the default, to be visible."""

SHOW = """
import json, sys
from importlib import import_module
settings = import_module(sys.argv[1])
print(json.dumps({name: repr(getattr(settings, name)) for name in dir(settings) if name.isupper()}))
"""


def _env_file(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))  # type: ignore[misc]


def _settings(service: Service, environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Every value of a site's settings under an environment; in an empty folder, so that no `.env` gets in."""
    # Sets are shown in the order of their hashes.
    environment = {"SECRET_KEY": "k" * 50, "PYTHONPATH": str(DEPLOY.parent), "PYTHONHASHSEED": "0", **environment}
    done = run(sys.executable, "-c", SHOW, SITES[service], folder=folder, env=environment)
    values: dict[str, str] = json.loads(done.stdout)
    return values


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_base_restates_defaults_as_they_are(service: Service, tmp_path: Path):
    written = _env_file(BASE[service] / "settings.env")
    own = {name: value for name, value in written.items() if name in OWN[service]}
    assert set(own) == OWN[service]
    assert _settings(service, written, tmp_path) == _settings(service, own, tmp_path)


def _of_compose(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][service.name]
    return found


def _compose_environment(service: Service) -> dict[str, str]:
    found = _of_compose(service)
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
