"""The pair that these tests ask: the one at END_TO_END_URL (`make end-to-end URL=…`), else one of their own.

They use only HTTP to the gateway, delete what they create, and tolerate other clients: so they run on a
cluster (deploy/bin/kind.sh) as well as here.
"""

import os
from collections.abc import Iterator

import pytest
import requests

from gateway_site.tests.end_to_end.client import Client

GIVEN = os.environ.get("END_TO_END_URL")


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """Of the gateway."""
    return GIVEN or str(request.getfixturevalue("gateway_service").url)


@pytest.fixture(scope="session")
def one_client(url: str) -> Client:
    """For all tests: it reads the schema once."""
    try:
        return Client(url)
    except requests.RequestException as error:
        if GIVEN:
            pytest.exit(f"there is no gateway at {url}: {error}", returncode=1)
        raise


@pytest.fixture
def client(one_client: Client) -> Iterator[Client]:
    """A client that deletes its users at the end."""
    yield one_client
    one_client.delete_all()
