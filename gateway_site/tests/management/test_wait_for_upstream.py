"""wait_for_upstream: returns when the user service and its store can be used, and not before."""

import time
from typing import Any

import pytest
from django.core.management import CommandError

from gateway_site.tests.management.conftest import called
from tests.http_server import Handler, http_server
from tests.recording import recording
from tools.processes.service import Service, free_port

pytestmark = pytest.mark.slow


def test_returns_when_the_user_service_is_ready(settings: Any, users_service: Service) -> None:
    settings.USER_SERVICE_URL = users_service.url
    printed, said = called("wait_for_upstream", "--timeout", "20")
    assert (printed, "is ready" in said) == ("", True)


class NotReady(Handler):
    def do_GET(self) -> None:
        self.answer(503 if self.path == "/health/ready" else 200)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("away", "no connection"), ("not ready", "/health/ready answered 503"), ("silent", "no answer in time")],
)
def test_times_out_with_the_reason(settings: Any, fault: str, reason: str) -> None:
    started = time.monotonic()
    with http_server(NotReady) as not_ready, recording() as silent:
        silent.freeze()
        urls = {"away": f"http://127.0.0.1:{free_port()}", "not ready": not_ready, "silent": silent.url}
        settings.USER_SERVICE_URL = urls[fault]
        with pytest.raises(CommandError, match=rf"^{urls[fault]} is not ready after 1 s: {reason}[^\n]*$"):
            called("wait_for_upstream", "--timeout", "1")
        silent.thaw()
    assert time.monotonic() - started < 20
