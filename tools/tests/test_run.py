"""A whole run: what it starts, what it leaves behind."""

import os
import signal

from tools.tests.conftest import request


def test_ctrl_c_stops_everything_and_the_data_outlives_it(start):
    run = start()
    run.wait_ready()
    assert request(run.gateway, "GET", "/health/ready")[0] == 200
    assert request(run.users, "GET", "/users")[1]["count"] == 100
    password = (run.data_dir / "password").read_text()
    assert not any(password in shown for shown in (run.output, *run.processes().values()))
    status, user = request(run.gateway, "POST", "/api/users", {"name": "Ada", "email": "ada@example.com"})
    assert status == 201
    assert run.stop(signal.SIGINT, group=True) == 0
    assert run.is_gone()
    assert run.errors == []

    again = start()
    again.wait_ready()
    assert request(again.gateway, "GET", f"/api/users/{user['id']}") == (200, user)
    assert request(again.users, "GET", "/users")[1]["count"] == 101
    assert again.stop(signal.SIGTERM) == 0
    assert again.is_gone()


def test_end_of_one_process_stops_all(start):
    run = start()
    run.wait_ready()
    pids = [pid for pid, command in run.processes().items() if "users_site.server" in command]
    os.kill(min(pids), signal.SIGKILL)
    assert run.process.wait(30) == 1
    assert run.errors == ["error: user-service ended by itself (SIGKILL); everything is stopped"]
    assert run.is_gone()
