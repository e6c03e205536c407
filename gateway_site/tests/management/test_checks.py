"""check --deploy: every mistake has its ID and a hint; a good deployment has none."""

import re
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import orjson
import pytest
from django.core.checks import WARNING, run_checks

from common.config.environment import SettingError
from gateway_site.routes.rate import Rate
from gateway_site.routes.reading import OwnAddress, table
from gateway_site.routes.table import Route, Table
from gateway_site.tests.management.conftest import called, failing
from tests.in_process import evaluated

USERS = table("", "http://user-service:3001", {}, {}, OwnAddress(3000))
GOOD_KEY = "mV4x0bW2Zk1Q9sT7pR5uY3cN8aL6dF0g"


def ids() -> set[str]:
    found = [
        message for message in run_checks(include_deployment_checks=True) if str(message.id).startswith("gateway.")
    ]
    assert all(message.hint and message.level == WARNING for message in found)
    return {str(message.id) for message in found}


@pytest.fixture
def good(settings: Any) -> Any:
    """A deployment without a mistake."""
    settings.DEBUG, settings.SECRET_KEY, settings.ALLOWED_HOSTS = False, GOOD_KEY, ["api.example.com"]
    settings.DRAIN_SECONDS = 5
    settings.AUTH_JWKS_URL = "https://issuer.example/jwks.json"
    settings.AUTH, settings.STATUS_PAGE, settings.RATE_LIMIT = ("jwt",), False, Rate(100, 1, 200)
    settings.ROUTES = USERS
    return settings


def with_a_route(timeout_ms: int) -> Table:
    """Another one of the users' upstream."""
    return replace(USERS, routes=(*USERS.routes, Route("/orders", USERS.users.upstream, timeout_ms=timeout_ms)))


def test_good_deployment_has_no_warning(good: Any) -> None:
    assert ids() == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEBUG", True, "W001"),
        ("SECRET_KEY", "short", "W002"),
        ("SECRET_KEY", "a" * 60, "W002"),
        ("SECRET_KEY", "changeme-changeme-changeme-0123456789", "W002"),
        ("SECRET_KEY", "django-insecure-0123456789abcdefghijklmnopqrs", "W002"),
        ("ALLOWED_HOSTS", ["api.example.com", "*"], "W003"),
        ("DRAIN_SECONDS", 25, "W004"),
        ("DRAIN_SECONDS", 0, "W005"),
        ("AUTH", (), "W010"),
        ("ROUTES", with_a_route(timeout_ms=60_000), "W011"),
        ("ROUTES", with_a_route(timeout_ms=500), "W012"),
        ("MAX_IN_FLIGHT", 60_000, "W013"),
        ("TRUSTED_PROXIES", (ip_network("0.0.0.0/0"),), "W014"),
        ("RATE_LIMIT", None, "W015"),
        ("AUTH_JWKS_URL", "http://issuer:8080/jwks.json", "W016"),
        ("STATUS_PAGE", True, "W017"),
        ("ROUTES", table("", "http://127.0.0.1:3001", {}, {}, OwnAddress(3000)), "W018"),
    ],
)
def test_mistake_has_its_id(good: Any, name: str, value: Any, expected: str) -> None:
    setattr(good, name, value)
    assert ids() == {f"gateway.{expected}"}


def test_the_command_fails_at_a_level_and_silences_what_is_accepted(good: Any) -> None:
    good.AUTH, good.RATE_LIMIT = (), None
    good.SILENCED_SYSTEM_CHECKS = [*good.SILENCED_SYSTEM_CHECKS, "gateway.W015"]
    text, error = failing("check", "--deploy", "--fail-level", "WARNING")
    assert re.fullmatch(r"\d+ of \d+ findings are of level WARNING or above", str(error))
    assert "gateway.W010 warning: AUTH is none" in text
    assert "gateway.W015" not in text


def test_the_command_can_be_read_by_a_program_and_checks_the_deployment_on_request(good: Any) -> None:
    good.AUTH = ()
    text, said = called("check", "--deploy", "--format", "json")
    found = {finding["id"]: finding for finding in orjson.loads(text)}
    assert found["gateway.W010"].keys() == {"id", "level", "what", "cure"}
    assert all(finding["cure"] for finding in found.values())
    assert said == f"{len(found)} findings, none of level ERROR or above\n"
    assert called("check") == ("nothing found\n", "")


def test_a_silenced_check_must_be_an_id() -> None:
    with pytest.raises(SettingError, match=r"^SILENCED_SYSTEM_CHECKS"):
        evaluated("gateway_site", SILENCED_SYSTEM_CHECKS="W010")
