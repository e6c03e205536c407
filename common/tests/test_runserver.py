"""`runserver`: the service as in production, on loopback, with reload."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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


@pytest.fixture
def development(checkout: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The command in the checkout, as a developer starts it: its port and its process."""
    port = free_port()
    command = [sys.executable, str(checkout / MANAGE), "runserver", f"127.0.0.1:{port}"]
    with (checkout / "out").open("wb") as out, (checkout / "err").open("wb") as err:
        environment = {"PATH": os.environ["PATH"], **NOWHERE}
        process = subprocess.Popen(command, cwd=checkout, env=environment, stdout=out, stderr=err)
    try:
        yield port, process
    finally:
        process.kill()
        process.wait()


def version(port: int) -> str:
    """The answer of /version; empty if nothing answers."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/version", timeout=5).text
    except requests.RequestException:
        return ""


def wait_until(port: int, wanted: str, edited: Path) -> None:
    """Returns when /version has the text. The edit is saved again after a while: the first may have come before the reloader
    had seen the file at all."""
    deadline = time.monotonic() + SECONDS
    again = time.monotonic() + 5
    while wanted not in version(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        if time.monotonic() > again:
            edited.touch()
            again += SECONDS


def test_an_edit_is_served_whichever_process_had_loaded_the_file(
    checkout: Path, development: tuple[int, subprocess.Popen[bytes]]
) -> None:
    """The worker loads health.py; common/__init__.py is in the arbiter too, which a reloaded worker is forked from."""
    port, process = development
    in_worker, in_both = checkout / "common/http/health.py", checkout / "common/__init__.py"
    wait_until(port, "0.", in_worker)
    static = f"http://127.0.0.1:{port}/static/rest_framework/css/default.css"
    assert requests.get(static, timeout=10).status_code == 200, "DEBUG is on"
    text = in_worker.read_text()
    assert "django.get_version()" in text
    in_worker.write_text(text.replace("django.get_version()", '"edited once"'))
    wait_until(port, "edited once", in_worker)
    in_both.write_text('"""Edited."""\n\n__version__ = "edited-twice"\n')
    wait_until(port, "edited-twice", in_both)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert (checkout / "err").read_text() == ""


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
