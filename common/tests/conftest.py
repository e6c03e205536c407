"""Fixtures of the shared tests: the site under test, whichever it is."""

from collections.abc import Iterator

import pytest

from tests.serving import Served, serving
from tests.site import IS_GATEWAY, NOWHERE, SITE, Dependency, patient_service
from tools.processes.service import Service


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Service:
    """The site under test, as in production, with its dependency."""
    running: Service = request.getfixturevalue("gateway_service" if IS_GATEWAY else "users_service")
    return running


@pytest.fixture(scope="session")
def patient_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Dependency]]:
    """The site in front of a dependency that a test may pause; at most three requests in flight, everything logged."""
    with patient_service(tmp_path_factory.mktemp("patient"), MAX_IN_FLIGHT="3", MAX_BODY_BYTES="1000") as running:
        yield running


@pytest.fixture
def patient(patient_site: tuple[Service, Dependency]) -> Service:
    return patient_site[0]


@pytest.fixture
def held_up(patient_site: tuple[Service, Dependency]) -> Iterator[Service]:
    """The patient site while its dependency answers nothing."""
    running, dependency = patient_site
    dependency.freeze()
    try:
        yield running
    finally:
        dependency.thaw()


@pytest.fixture(scope="module")
def debug_site() -> Iterator[Served]:
    """The site with DEBUG=true, its dependency down."""
    with serving(SITE, **NOWHERE, DEBUG="true") as running:
        yield running
