"""`runserver`: the service as in production, on loopback, with reload."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.core.management.base import CommandError

from common.management.commands.runserver import bind
from tests.programs import MANAGE
from tests.site import NOWHERE, SITE
from tools.processes.service import ROOT, free_port

SECONDS = 30


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the site's code, in a path with a space."""
    folder = tmp_path / "a copy"
    for package in ("common", "users_contract", "packages", SITE):
        ignored = shutil.ignore_patterns("tests", "__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / MANAGE, folder)
    return folder


@contextmanager
def runserver(folder: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, as a developer starts it; its output is in `folder`."""
    environment = {"PATH": os.environ["PATH"], **NOWHERE, **settings}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, str(folder / MANAGE), "runserver", *arguments],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=err,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        finally:
            process.kill()


def version(port: int) -> str | None:
    """The answer of /version; None if nothing answers."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/version", timeout=5)
    except requests.RequestException:
        return None
    return str(answer.json()["version"]) + str(answer.json().get("django"))


def wait_until(
    port: int, wanted: str, process: subprocess.Popen[bytes], folder: Path, edited: Path | None = None
) -> None:
    """Returns when /version answers as wanted. The edit is saved again after a while: the first may have come
    before the reloader had seen the file at all."""
    deadline = time.monotonic() + SECONDS
    again = time.monotonic() + 5
    while wanted not in (version(port) or ""):
        assert time.monotonic() < deadline, (folder / "out").read_text()[-3000:]
        assert process.poll() is None, (folder / "err").read_text()[-3000:]
        time.sleep(0.1)
        if edited is not None and time.monotonic() > again:
            edited.touch()
            again += SECONDS


def test_an_edit_is_served_whichever_process_had_loaded_the_file(checkout: Path) -> None:
    """The worker loads health.py; common/__init__.py is in the arbiter too, which a reloaded worker is forked from."""
    port = free_port()
    with runserver(checkout, f"127.0.0.1:{port}") as process:
        wait_until(port, "0.", process, checkout)
        static = f"http://127.0.0.1:{port}/static/rest_framework/css/default.css"
        assert requests.get(static, timeout=10).status_code == 200, "DEBUG is on"
        in_worker, in_both = checkout / "common/http/health.py", checkout / "common/__init__.py"
        replace(in_worker, "django.get_version()", '"edited once"')
        wait_until(port, "edited once", process, checkout, in_worker)
        in_both.write_text('"""Edited."""\n\n__version__ = "edited-twice"\n')
        wait_until(port, "edited-twice", process, checkout, in_both)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert (checkout / "err").read_text() == ""


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("wrong", ["abc", "99999", "1:2:x", "127.0.0.1:", ":", "-1"])
def test_a_malformed_address_is_refused(wrong: str) -> None:
    with pytest.raises(CommandError, match=re.escape(wrong)) as raised:
        bind(wrong)
    assert raised.value.returncode == 2


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("8000", "127.0.0.1:8000"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::1]:80", "[::1]:80"),
        ("localhost:1", "localhost:1"),
        ("", f"127.0.0.1:{3000 if SITE == 'gateway_site' else 3001}"),
    ],
)
def test_addresses(given: str, taken: str) -> None:
    assert bind(given) == taken
