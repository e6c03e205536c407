"""Rules for every command: exit codes, errors of one line, no secret, a clean stdout. Help: common/tests/test_commands.py."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tools.processes.service import ROOT, free_port
from tools.processes.store import Store
from users_site.tests.management.conftest import Argv, Run
from users_site.tests.repository.people import PARTITION

pytestmark = pytest.mark.slow

WRONG = {
    "--no-such-option": ["verify_users", "--no-such-option"],
    "'-1' is not a whole number": ["seed_users", "--count=-1"],
    "'1.5' is not a whole number": ["seed_users", "--count=1.5"],
    "'10000001' is not a whole number": ["seed_users", "--count=10000001"],
    "both use stdout": ["seed_users", "--count=1", "--print-ids", "--format=json"],
    "the name of a file": ["export_users", ""],
    "need a FILE": ["export_users", "-", "--resume"],
    "invalid choice: 'overwrite'": ["import_users", "-", "--on-conflict=overwrite"],
    "the same store": ["move_users", "--from=redis://a:1/0", "--to=redis://a:1/0"],
    "--from: the URL has an unknown scheme": ["move_users", "--from=nowhere", "--to=redis://a:1/0"],
    "--to: ": ["move_users", "--from=redis://a:1/0", "--to=redis://a:x/0"],
    "--timeout": ["wait_for_redis", "--timeout=0"],
}
ON_A_STORE = {
    "seed_users": ["--count", "1"],
    "verify_users": [],
    "export_users": ["-"],
    "import_users": ["-"],
    "move_users": ["--from", "redis://:hush-hush@127.0.0.1:1/0", "--to", "redis://:hush-hush@127.0.0.1:2/0"],
    "wait_for_redis": ["--timeout", "1"],
}


@pytest.mark.parametrize(("why", "words"), WRONG.items(), ids=WRONG)
def test_wrong_usage_is_one_line(argv: Argv, why: str, words: list[str]) -> None:
    done = argv(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.line


@pytest.mark.parametrize(("command", "words"), ON_A_STORE.items(), ids=ON_A_STORE)
def test_store_that_is_away_is_one_line_without_its_password(
    argv: Argv, settings: Any, command: str, words: list[str]
) -> None:
    settings.REDIS_URL = f"redis://:hush-hush@127.0.0.1:{free_port()}/0"
    done = argv(command, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(r"error: redis://:\*\*\*@127\.0\.0\.1.*\(refused\)", done.line)


def test_replica_is_reported_as_such(argv: Argv, redis: Redis) -> None:
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    done = argv("seed_users", "--count=1")
    redis.execute_command("REPLICAOF", "NO", "ONE")
    assert done.returncode == 1
    assert "(readonly)" in done.line


def test_missing_file_is_one_line(argv: Argv, tmp_path: Path) -> None:
    done = argv("import_users", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.line.endswith("nowhere: No such file or directory")


@pytest.mark.parametrize(("own", "port"), [({}, 1), ({"REDIS_HOST": "127.0.0.1"}, 6379)])
def test_the_store_that_is_set_is_used_beside_make_run(
    shell: Argv, tmp_path: Path, own: dict[str, str], port: int
) -> None:
    (tmp_path / "run.env").write_text("REDIS_URL=redis://127.0.0.1:1/0\nPARTITIONS=16\n")
    settings = {"REDIS_URL": "", "DATA_DIR": str(tmp_path), **own}
    assert f"127.0.0.1:{port} cannot be used" in shell("wait_for_redis", "--timeout", "1", **settings).line


def test_log_lines_stay_off_stdout(shell: Argv) -> None:
    done = shell("seed_users", "--count", "1", "--print-ids", LOG_LEVEL="debug")
    assert len(done.stdout.splitlines()) == 1


def test_sigterm_stops_it_between_two_batches(redis: Redis, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage_users.py", "seed_users", "--count", "5000000"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and not redis.exists(PARTITION.index):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    [line] = errors.strip().splitlines()
    assert re.match(r"error: stopped after .* of 5,000,000 users", line)
    assert redis.dbsize() == 2 * redis.zcard(PARTITION.index) + 1


def on_a_terminal(environment: dict[str, str], *command: str, answer: bytes) -> tuple[int, str]:
    """Runs a command on a new terminal; returns its exit code and output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage_users.py", *command],
        cwd=ROOT,
        env=environment | {"DEBUG": "true", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # EIO: the other side is closed
        pass
    os.close(ours)
    return process.wait(30), shown.decode()


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 20_000), (b"\n", 3)], ids=["yes", "the default"])
def test_clear_asks_on_a_terminal_and_a_bar_shows_rate_and_time_left(
    run: Run, redis: Redis, own_store: Store, environment: dict[str, str], answer: bytes, left: int
) -> None:
    run("seed_users", count=3)
    code, shown = on_a_terminal(environment, "seed_users", "--count", "20000", "--clear", answer=answer)
    assert f"Delete all 3 users of redis://:***@127.0.0.1:{own_store.port}?" in shown
    assert redis.zcard(PARTITION.index) == left
    assert code == (1 if left == 3 else 0)
    if code == 0:
        assert re.search(r"\r +\d+%\|.*/20000 \[00:0\d<00:0\d, ", shown)
        assert re.search(r"\r +20,000 users seeded in", shown)
