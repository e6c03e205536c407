"""Stand-ins for other HTTP services: a quiet handler, and a server in a thread."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    wbufsize = 1 << 16  # one write per answer: two wait 40 ms for each other

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """`Content_Type="…"` is the header Content-Type."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, *_: object) -> None:
        """A client that has gone is not an error: kubectl ends its watches this way."""


@contextmanager
def http_server(handler: type[Handler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of a server on loopback."""
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}" if tls else f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)
