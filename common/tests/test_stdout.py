"""A reader of stdout that stalls or has gone: requests continue, lines are dropped and counted, and their number is logged."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

from tools.processes.service import ROOT, free_port


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


def wait_until_live(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/health/live", timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.05)


def lost_lines(session: requests.Session, url: str) -> float:
    metrics = session.get(f"{url}/metrics", timeout=5).text
    return float(next(line.split()[1] for line in metrics.splitlines() if line.startswith("log_lines_dropped_total")))


def test_a_reader_that_is_gone_fails_no_request_and_breaks_no_connection(tmp_path: Path) -> None:
    port = free_port()
    process, reader = start(port, tmp_path)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_live(url)
        os.close(reader)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            for _ in range(20):
                assert exchange_on(connection).startswith(b"HTTP/1.1 404 ")
        with requests.Session() as session:
            assert lost_lines(session, url) >= 20
    finally:
        process.terminate()
        process.wait(30)
    assert process.returncode == 0
    assert (tmp_path / "stderr").read_text() == ""


def exchange_on(connection: socket.socket) -> bytes:
    connection.sendall(b"GET /users/nobody HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return connection.recv(1 << 16)


def test_a_stalled_reader_delays_no_request_and_gets_the_number_of_dropped_lines(tmp_path: Path) -> None:
    port = free_port()
    process, reader = start(port, tmp_path)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_live(url)
        with requests.Session() as session:
            for _ in range(600):  # some 200 kB of lines into a pipe of 64
                assert session.get(f"{url}/users/nobody", timeout=5).status_code == 404
            lost = lost_lines(session, url)
            assert lost > 100
            text = os.read(reader, 1 << 20)
            session.get(f"{url}/users/nobody", timeout=5)
        text += os.read(reader, 1 << 20)
        entries = [json.loads(line) for line in text.splitlines()]
        assert [entry["dropped"] for entry in entries if entry["message"] == "log lines dropped"] == [lost]
    finally:
        process.terminate()
        process.wait(30)
        os.close(reader)
    assert process.returncode == 0


PROGRAM = """
import json, sys, threading
from common.observability.stdout import Stdout
stdout, errors = Stdout(), []
def write(name):
    line = json.dumps({"message": name * 3000}).encode() + b"\\n"
    for _ in range(3000):
        try:
            stdout.write(line)
        except Exception as error:
            errors.append(repr(error))
threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"dropped": stdout.dropped, "errors": errors[:3]}), file=sys.stderr)
"""


def test_threads_that_write_at_once_neither_fail_nor_mix_their_lines(tmp_path: Path) -> None:
    # The exporter of traces logs from a thread of its own.
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = process.communicate(timeout=60)
    said = json.loads(err)
    messages = [json.loads(line)["message"] for line in out.splitlines()]
    written = [message for message in messages if message != "log lines dropped"]
    assert said["errors"] == []
    assert {len(set(message)) for message in written} == {1}
    assert len(written) + said["dropped"] == 9000
