"""Reads an upstream's TLS files again when they change: certificates of a mesh or of cert-manager live for hours."""

import logging
import ssl

from common.observability.notices import Notices
from gateway_site.routes.source import state_of
from gateway_site.routes.table import Tls

notices = Notices(logging.getLogger(__name__))


class Certificates:
    """Keeps the previous files while the changed ones are invalid: they may be replaced one by one."""

    def __init__(self, tls: Tls, upstream: str) -> None:
        self._tls, self._upstream = tls, upstream
        self._seen, self._context = self._state(), tls.context()

    def context(self) -> ssl.SSLContext:
        """The TLS context of the next connection."""
        seen = self._state()
        if seen != self._seen:
            try:
                self._context, self._seen = self._tls.context(), seen
            except OSError as error:
                notices.warn("certificates refused", upstream=self._upstream, reason=str(error))
        return self._context

    def _state(self) -> list[object]:
        return [state_of(file) for file in self._tls.files]
