"""Runs commands of the gateway in this process; as a shell does: common/tests/test_commands.py. A gateway with faults."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from django.core.management import CommandError, call_command

from tests.http_server import Handler, http_server


def called(*words: object) -> tuple[str, str]:
    """What the command writes to stdout and stderr. Raises CommandError."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*map(str, words), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def failing(*words: object) -> tuple[str, CommandError]:
    """What the command writes to stdout, and its error."""
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command(*map(str, words), stdout=out, stderr=io.StringIO())
    return out.getvalue(), error.value


Fault = Callable[[str, str, requests.Response], None]
"""Gets method, path and the true answer, which it may change."""


@contextmanager
def faulty_gateway(url: str, fault: Fault) -> Iterator[str]:
    """The URL of a proxy to the real gateway at `url`."""

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
