"""A reader of stdout that stalls: requests go on, lines are dropped and counted, and the number is said."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import requests

from common.tests.service import ROOT, free_port


def start(port: int, tmp_path: Path) -> tuple["subprocess.Popen[bytes]", int]:
    reader, writer = os.pipe()
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "SECRET_KEY": "for tests",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DRAIN_SECONDS": "0",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:users_site.server"]
    with (tmp_path / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=writer, stderr=errors)
    os.close(writer)
    return process, reader


def test_a_stalled_reader_holds_no_request_and_hears_what_it_missed(tmp_path: Path) -> None:
    port = free_port()
    process, reader = start(port, tmp_path)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                requests.get(f"{url}/health/live", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        with requests.Session() as session:
            for _ in range(600):  # some 200 kB of lines into a pipe of 64
                assert session.get(f"{url}/users/nobody", timeout=5).status_code == 404
            metrics = session.get(f"{url}/metrics", timeout=5).text
            lost = next(line for line in metrics.splitlines() if line.startswith("log_lines_dropped_total"))
            assert float(lost.split()[1]) > 100
            text = os.read(reader, 1 << 20)
            session.get(f"{url}/users/nobody", timeout=5)
        text += os.read(reader, 1 << 20)
        entries = [json.loads(line) for line in text.splitlines()]
        assert [entry["dropped"] for entry in entries if entry["message"] == "log lines dropped"] == [
            float(lost.split()[1])
        ]
    finally:
        process.terminate()
        process.wait(30)
        os.close(reader)
    assert process.returncode == 0
