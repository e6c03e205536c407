"""A proxy in front of a real gateway that answers some requests wrongly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from tests.http_server import Handler, http_server

Fault = Callable[[str, str, requests.Response], None]
"""Gets method, path and the true answer, which it may change."""


@contextmanager
def faulty_gateway(url: str, fault: Fault) -> Iterator[str]:
    """The URL of a proxy to the gateway at `url`."""

    class Faulty(Handler):
        def forward(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            headers["Host"] = self.headers["Host"]
            true = requests.request(self.command, url + self.path, headers=headers, data=self.body(), timeout=10)
            fault(self.command, self.path, true)
            here = {"connection", "content-length", "transfer-encoding"}
            headers = {name: value for name, value in true.headers.items() if name.lower() not in here}
            self.answer(true.status_code, true.content, **headers)

        do_GET = do_POST = do_PATCH = do_DELETE = forward

    with http_server(Faulty) as faulty:
        yield faulty
