"""Rules for every command: exit codes, errors of one line, no secret, a clean stdout, help with an example."""

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
from tools.processes.store import PASSWORD, store
from users_site.tests.repository.people import HOME

pytestmark = pytest.mark.slow

COMMANDS = {
    "seed_users": ["--count", "1"],
    "verify_users": [],
    "export_users": ["-"],
    "import_users": ["-"],
    "move_users": ["--from", "redis://:hush-hush@127.0.0.1:1/0", "--to", "redis://:hush-hush@127.0.0.1:2/0"],
    "wait_for_redis": ["--timeout", "1"],
}


def one_line(errors: str) -> str:
    lines = errors.strip().splitlines()
    assert len(lines) == 1, errors
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(argv: Any, command: str) -> None:
    done = argv(command, "--help")
    assert done.returncode == 0
    assert f"example:\n  manage_users.py {command}" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_is_wrong_usage(argv: Any, command: str) -> None:
    done = argv(command, *COMMANDS[command], "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in one_line(done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ["seed_users", "--count", "10000001"],
        ["seed_users", "--count", "-1"],
        ["export_users", ""],
        ["import_users", ""],
    ],
)
def test_argument_out_of_bounds_is_wrong_usage(argv: Any, words: list[str]) -> None:
    done = argv(*words)
    assert done.returncode == 2
    assert one_line(done.stderr)


@pytest.mark.parametrize(("command", "args"), COMMANDS.items(), ids=COMMANDS)
def test_store_that_is_away_is_one_line_without_its_password(shell: Any, command: str, args: list[str]) -> None:
    address = f"redis://:hush-hush@127.0.0.1:{free_port()}/0"
    export = '{"format":"users-export","version":1}\n{"count":0,"sha256":"e3b0"}\n'
    done = shell(command, *args, stdin=export, REDIS_URL=address)
    assert done.returncode == 1
    line = one_line(done.stderr)
    assert line.startswith("error: ")
    assert "127.0.0.1" in line
    assert "refused" in line
    assert "hush-hush" not in done.stdout + done.stderr


def test_wrong_password_is_reported_as_such(shell: Any, redis: Redis, environment: dict[str, str]) -> None:
    done = shell("verify_users", REDIS_URL=environment["REDIS_URL"].replace(PASSWORD, "another"))
    assert done.returncode == 1
    assert "(auth)" in one_line(done.stderr)


def test_replica_is_reported_as_such(argv: Any, redis: Redis, settings: Any, tmp_path: Path) -> None:
    with store(tmp_path, replicaof="127.0.0.1 1") as replica:
        settings.REDIS_URL = replica.url
        done = argv("seed_users", "--count=1")
    assert done.returncode == 1
    assert "(readonly)" in one_line(done.stderr)


@pytest.mark.parametrize("count", ["-1", "x", "1.5", ""])
def test_count_that_is_none_is_wrong_usage(argv: Any, count: str) -> None:
    done = argv("seed_users", f"--count={count}")
    assert done.returncode == 2
    assert "--count" in one_line(done.stderr)


def test_missing_file_is_one_line(argv: Any, tmp_path: Path) -> None:
    done = argv("import_users", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert one_line(done.stderr).endswith("nowhere: No such file or directory")


def test_missing_setting_is_one_line(shell: Any) -> None:
    done = shell("verify_users", REDIS_URL="")
    assert done.returncode == 1
    assert "REDIS_HOST" in one_line(done.stderr)


@pytest.mark.parametrize(
    "own", [{"REDIS_URL": "redis://127.0.0.1:2/0"}, {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "2"}]
)
def test_the_store_that_is_set_is_used_beside_make_run(shell: Any, tmp_path: Path, own: dict[str, str]) -> None:
    (tmp_path / "run.env").write_text("REDIS_URL=redis://127.0.0.1:1/0\nPARTITIONS=16\n")
    told = [
        one_line(
            shell("wait_for_redis", "--timeout", "1", **{"REDIS_URL": "", "DATA_DIR": str(tmp_path), **settings}).stderr
        )
        for settings in ({}, own)
    ]
    assert ["127.0.0.1:1" in told[0], "127.0.0.1:2" in told[1]] == [True, True]


def test_debug_log_lines_stay_off_stdout(shell: Any) -> None:
    done = shell("seed_users", "--count", "1", "--print-ids", LOG_LEVEL="debug")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_between_two_batches(redis: Redis, environment: dict[str, str], number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage_users.py", "seed_users", "--count", "5000000"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and not redis.exists(HOME.index):
        time.sleep(0.01)
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert one_line(errors).startswith("error: stopped after ")
    assert "of 5,000,000 users" in errors
    assert out == ""
    assert redis.dbsize() == 2 * redis.zcard(HOME.index) + 1


def on_a_terminal(environment: dict[str, str], *command: str, answer: bytes = b"") -> tuple[int, str]:
    """Runs a command on a new terminal; returns its exit code and output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage_users.py", *command],
        cwd=ROOT,
        env=environment,
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


def test_terminal_sees_a_bar_with_rate_and_time_left(redis: Redis, environment: dict[str, str]) -> None:
    code, shown = on_a_terminal(environment | {"COLUMNS": "120"}, "seed_users", "--count", "30000")
    assert code == 0
    assert re.search(r"\r +\d+%\|.*/30000 \[00:0\d<00:0\d, ", shown)
    assert re.search(r"\r +30,000 users seeded in", shown)


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_clear_asks_on_a_terminal(redis: Redis, environment: dict[str, str], answer: bytes, left: int) -> None:
    on_a_terminal(environment, "seed_users", "--count", "3")
    debug = environment | {"DEBUG": "true"}
    code, shown = on_a_terminal(debug, "seed_users", "--count", "0", "--clear", answer=answer)
    assert "Delete all 3 users" in shown
    assert PASSWORD not in shown
    assert redis.zcard(HOME.index) == left
    assert code == (1 if left else 0)
