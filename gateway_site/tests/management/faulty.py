"""A proxy in front of a real gateway that answers some requests wrongly."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Fault = Callable[[str, str, requests.Response], None]
"""Gets method, path and the true answer, which it may change."""


@contextmanager
def faulty_gateway(url: str, fault: Fault) -> Iterator[str]:
    """The URL of a proxy to the gateway at `url`."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            headers["Host"] = self.headers["Host"]
            true = requests.request(
                self.command, url + self.path, headers=headers, data=self.rfile.read(length), timeout=10
            )
            fault(self.command, self.path, true)
            self.send_response(true.status_code)
            for name, value in true.headers.items():
                if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(true.content)))
            self.end_headers()
            self.wfile.write(true.content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
