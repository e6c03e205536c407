"""An upstream behind TLS that asks for a certificate; the gateway's is replaced while it runs."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway_site.tests.management.conftest import called
from gateway_site.tests.routes.conftest import Tables, metric
from tests.certificates import self_signed
from tests.http_server import Handler, http_server
from tests.log_lines import lines
from tests.serving import serving
from tools.processes.cluster import until

pytestmark = pytest.mark.slow

SECONDS = 10
ROUTES = (
    "upstreams:\n  things: {{url: '{url}', tls: {tls}}}\nroutes:\n- {{prefix: /things, upstream: things, retries: 0}}\n"
)


class AskingForACertificate(Handler):
    """Answers with the name in the client's certificate; each connection has one request."""

    def do_GET(self) -> None:
        subject = self.connection.getpeercert()["subject"]
        name = dict(pair for pairs in subject for pair in pairs)["commonName"]
        self.answer(200, name.encode(), Connection="close")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and a key of each of three names."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("localhost", "gateway-1", "gateway-2"):
        self_signed(folder, name)
    return folder


@pytest.fixture
def upstream(files: Path) -> Iterator[str]:
    """Its URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files / "localhost.crt", files / "localhost.key")
    for name in ("gateway-1", "gateway-2"):
        context.load_verify_locations(files / f"{name}.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with http_server(AskingForACertificate, context) as url:
        yield url


def test_a_replaced_certificate_is_used_once_it_has_its_key(tmp_path: Path, files: Path, upstream: str) -> None:
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(files / "gateway-1.crt", cert)
    shutil.copy(files / "gateway-1.key", key)
    (tmp_path / "routes.yaml").write_text(
        ROUTES.format(url=upstream, tls=f"{{ca: '{files}/localhost.crt', cert: '{cert}', key: '{key}'}}")
    )
    with serving("gateway_site", ROUTES=str(tmp_path / "routes.yaml")) as gateway:

        def name() -> str:
            answer = requests.get(f"{gateway.url}/things", timeout=SECONDS)
            assert answer.status_code == 200
            return answer.text

        assert name() == "gateway-1"
        shutil.copy(files / "gateway-2.crt", cert)
        assert name() == "gateway-1", "the key does not belong to it"
        assert [line["upstream"] for line in lines(gateway) if line["message"] == "certificates refused"] == ["things"]
        until(lambda: metric(gateway, "routes_refused") == 1)
        shutil.copy(files / "gateway-2.key", key)
        assert name() == "gateway-2"
        until(lambda: metric(gateway, "routes_refused") == 0)


@pytest.mark.parametrize(
    ("tls", "is_untrusted"),
    [("{ca: '%s/localhost.crt'}", False), ("{cert: '%s/gateway-1.crt', key: '%s/gateway-1.key'}", True)],
)
def test_neither_end_trusts_a_stranger(
    tmp_path: Path, files: Path, upstream: str, tls: str, is_untrusted: bool
) -> None:
    text = ROUTES.format(url=upstream, tls=tls.replace("%s", str(files)))
    (tmp_path / "routes.yaml").write_text(text)
    labels = 'method="GET",service="things",status_code="untrusted"'
    series = f"upstream_request_duration_seconds_count{{{labels}}}"
    with serving("gateway_site", ROUTES=str(tmp_path / "routes.yaml")) as gateway:
        before = metric(gateway, series)
        answer = requests.get(f"{gateway.url}/things", timeout=SECONDS)
        assert metric(gateway, series) - before == is_untrusted
    assert (answer.status_code, answer.json()["code"]) == (502, "bad-upstream")


def test_the_command_that_waits_for_the_users_presents_the_certificate_too(
    tables: Tables, settings: Any, files: Path, upstream: str
) -> None:
    tls = f"ca: '{files}/localhost.crt', cert: '{files}/gateway-1.crt', key: '{files}/gateway-1.key'"
    settings.USER_SERVICE_URL = upstream
    settings.ROUTES = tables.read(
        f"upstreams:\n  user-service: {{url: '{upstream}', tls: {{{tls}}}}}\n"
        "routes:\n- {prefix: /api/users, upstream: user-service, rewrite: /users}\n",
        ".yaml",
    )
    _, said = called("wait_for_upstream", "--timeout", "5")
    assert said.startswith(f"{upstream} is ready")
