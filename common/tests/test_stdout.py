"""A reader of stdout that stalls or has gone: requests continue, lines are dropped and counted, and their number is logged."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.metrics import sample
from tests.programs import python
from tests.wire import connect, get, read
from tools.processes.service import Service

DROPPED = "log_lines_dropped_total"


@pytest.fixture
def piped(tmp_path: Path) -> Iterator[tuple[Service, int]]:
    """A service, and the reading end of its stdout."""
    pipe = tmp_path / "stdout"
    os.mkfifo(pipe)
    redirected = ["sh", "-c", 'exec "$@" >"$0"', str(pipe)]
    running = Service("users_site", tmp_path, run_in=redirected, REDIS_URL="redis://127.0.0.1:1/0")
    reader = os.open(pipe, os.O_RDONLY)
    try:
        running.wait_until_live()
        yield running, reader
    finally:
        status = running.stop()
    assert (status, running.errors.read_text()) == (0, "")


def test_a_reader_that_is_gone_fails_no_request_and_breaks_no_connection(piped: tuple[Service, int]) -> None:
    running, reader = piped
    os.close(reader)
    with connect(running.port) as connection:
        for _ in range(20):
            connection.sendall(get("/users/nobody"))
            assert read(connection).status == 404
    assert (sample(running, DROPPED) or 0) >= 20


def test_a_stalled_reader_delays_no_request_and_gets_the_number_of_dropped_lines(piped: tuple[Service, int]) -> None:
    running, reader = piped
    with requests.Session() as session:
        for _ in range(600):  # some 200 kB of lines into a pipe of 64
            assert session.get(f"{running.url}/users/nobody", timeout=5).status_code == 404
        lost = sample(running, DROPPED)
        assert lost is not None
        assert lost > 100
        text = os.read(reader, 1 << 20)
        session.get(f"{running.url}/users/nobody", timeout=5)
    text += os.read(reader, 1 << 20)
    entries = [json.loads(line) for line in text.splitlines()]
    assert all({"timestamp", "level", "service", "version", "logger"} <= entry.keys() for entry in entries)
    assert [entry["dropped"] for entry in entries if entry["message"] == "log lines dropped"] == [lost]
    os.close(reader)


SLOW_READER = """
import os, sys
from common.observability import stdout as module
reader, writer = os.pipe()
os.dup2(writer, 1)
line = b"x" * 4095 + b"\\n"
def fill():
    before = stdout.dropped
    while stdout.dropped == before:
        stdout.write(line)
module.PATIENCE_MS, module.PAUSE_SECONDS = 0, 3600
stdout = module.Stdout()
fill()
module.PATIENCE_MS = 3_600_000  # a second wait would last as long
os.read(reader, 3 * len(line))
fill()
sys.stderr.write(str(stdout.dropped))
"""


def test_a_slow_reader_is_not_waited_for_after_each_line() -> None:
    done = python("-c", SLOW_READER)
    assert (done.returncode, done.stderr) == (0, "2")


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


def test_threads_that_write_at_once_neither_fail_nor_mix_their_lines() -> None:
    # The exporter of traces logs from a thread of its own.
    done = python("-c", PROGRAM)
    said = json.loads(done.stderr)
    messages = [json.loads(line)["message"] for line in done.stdout.splitlines()]
    written = [message for message in messages if message != "log lines dropped"]
    assert said["errors"] == []
    assert {len(set(message)) for message in written} == {1}
    assert len(written) + said["dropped"] == 9000
