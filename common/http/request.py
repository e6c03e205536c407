"""The request of both sites: bytes as received. Expensive attributes are computed on first use."""

from io import BytesIO

from asgiref.typing import ASGIReceiveCallable, HTTPScope
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.utils.functional import cached_property  # that of functools takes a lock in Python 3.11

from common.http.forwarded import Origin
from common.http.response import Fields, Headers
from common.http.site import Site
from common.observability import request_id

UNMATCHED = "unmatched"


CLIENT_CLOSED_REQUEST = 499
"""The status in logs and metrics if the client disconnected before the answer (as in nginx)."""


class ClientGone(Exception):
    """The client closed the connection, or sent no byte for too long, before its body was complete."""


class Request:
    """One HTTP request. Django's request object, which costs 8 µs, is made only if needed: see `django`."""

    principal: str | None = None
    """The identified caller, for logs: `key:reporting`."""

    code: str | None = None
    reason: str | None = None
    """Why the answer is an error, for the access line."""

    upstream_address: str | None = None
    """The address that answered, if the upstream has several; for the access line."""

    seconds_to_head: float | None = None
    """For metrics, instead of the whole duration: of a stream."""

    answer_fields: Fields = ()
    """Header fields that the answer carries in addition to its own."""

    def __init__(self, scope: HTTPScope, receive: ASGIReceiveCallable, site: Site, started: float = 0.0) -> None:
        self.scope, self.receive, self.site = scope, receive, site
        self.started = started  # time.perf_counter() when its head was complete
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.route = UNMATCHED
        self.fields: Headers = list(scope["headers"])
        self.raw_headers = dict(self.fields)  # the last value of a repeated field; `header_values` has all
        self.request_id = request_id.choose(self.raw_headers.get(request_id.HEADER))
        self.body: bytes | None = None  # see body.py

    def header(self, name: bytes) -> str | None:
        """One field by its lower-case name, as latin-1 text."""
        value = self.raw_headers.get(name)
        return None if value is None else value.decode("latin-1")

    def header_values(self, name: bytes) -> str | None:
        """A list field by its lower-case name, its lines joined by commas (RFC 9110 §5.2)."""
        if name not in self.raw_headers:
            return None
        return ", ".join(value.decode("latin-1") for key, value in self.fields if key == name)

    @property
    def wants_page(self) -> bool:
        """Whether the client is a browser: it accepts HTML and does not list JSON."""
        accept = self.raw_headers.get(b"accept", b"")
        if b"text/html" not in accept or b"json" in accept:
            return False
        asked = HttpRequest()
        asked.META["HTTP_ACCEPT"] = accept.decode("latin-1")
        try:
            return asked.get_preferred_type(["application/json", "text/html"]) == "text/html"
        except (TypeError, ValueError):  # of malformed parameters (RFC 2231)
            return False

    @cached_property
    def origin(self) -> Origin:
        """The client's URL of this site: scheme, host, and the prefix that proxies removed from the path."""
        host = self.raw_headers.get(b"host", b"")
        return self.site.proxies.origin(self.fields, self.peer, self.scope["scheme"], host)

    @property
    def client_path(self) -> str:
        return self.origin.prefix + self.scope["raw_path"].decode("latin-1")

    @property
    def peer(self) -> str:
        """The address of the peer; empty on a Unix socket."""
        client = self.scope["client"]
        return str(client[0]) if client else ""

    @cached_property
    def remote_addr(self) -> str:
        """The client's address for logs and limits."""
        return self.site.proxies.client(self.fields, self.peer)

    @property
    def content_length(self) -> int | None:
        """The body's length as announced; the server has checked that it is a number."""
        value = self.raw_headers.get(b"content-length")
        return None if value is None else int(value)

    @property
    def has_body(self) -> bool:
        """Whether the head announces a body (RFC 9112 §6.3)."""
        return self.raw_headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.raw_headers

    @cached_property
    def django(self) -> ASGIRequest:
        """The same request as an object of Django, with the body read so far."""
        request = ASGIRequest(dict(self.scope), BytesIO(self.body or b""))
        request.urlconf = self.site.urlconf  # type: ignore[assignment] # any URLconf, a tuple too
        return request
