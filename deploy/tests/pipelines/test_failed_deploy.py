"""deploy.sh: what runs in the end, its exit code and its message to Slack, for each way a deployment fails."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from deploy.tests.pipelines.deploying import COMMANDS, OLD, SETTINGS, SMOKE, assert_no_secret, deploy
from deploy.tests.pipelines.stage import BIN, ROOT, Failure, Stage, stage
from deploy.tests.programs import succeeded
from tools.processes.cluster import until

pytestmark = pytest.mark.slow

APPLY = r" apply -k "
ROLLOUT = "rollout status deployment/user-service"
UNDO = "rollout undo deployment/api-gateway"

UNTOUCHED = "nothing was changed"
BACK = "rolled back, and the smoke test passes"
LOST = "the rollback failed too"

FAILURES: dict[str, tuple[list[Failure], int, dict[str, str], list[str]]] = {
    "no cluster": ([Failure("update-kubeconfig")], 1, OLD, ["cannot be reached", UNTOUCHED]),
    "no secret": ([Failure("get-secret-value")], 1, OLD, ["secret of the smoke test", UNTOUCHED]),
    "revision unreadable": ([Failure("get deployment/api-gateway")], 1, OLD, ["what runs now", UNTOUCHED]),
    "redis' revision unreadable": ([Failure("get controllerrevision")], 1, OLD, ["what runs now", UNTOUCHED]),
    "redis' state unreadable": ([Failure("get statefulset/redis")], 1, OLD, ["what runs now", UNTOUCHED]),
    "would be refused": ([Failure("--dry-run=server")], 1, OLD, ["would refuse the manifests", UNTOUCHED]),
    "apply refused": ([Failure(APPLY)], 1, OLD, ["refused the manifests", BACK]),
    "apply refused halfway": ([Failure(APPLY, "partly")], 1, OLD, ["refused the manifests", BACK]),
    "rollout stuck": ([Failure(ROLLOUT, last=1)], 1, OLD, ["user-service did not become ready", BACK]),
    "smoke red": ([Failure(SMOKE, last=1)], 1, OLD, ["smoke test is red", BACK]),
    "undo fails": (
        [Failure(SMOKE, last=1), Failure(UNDO)],
        3,
        {**OLD, "api-gateway": "new"},
        ["smoke test is red", LOST, "deployment/api-gateway cannot be undone"],
    ),
    "rollout of the rollback stuck": (
        [Failure(ROLLOUT)],
        3,
        OLD,
        [LOST, "deployment/user-service did not become ready; a person must look"],
    ),
    "second smoke red": ([Failure(SMOKE)], 3, OLD, [LOST, "the smoke test is red; a person must look"]),
    "everything fails": (
        [Failure(APPLY, "partly"), Failure("rollout"), Failure(SMOKE)],
        3,
        {**OLD, "rate-limit": "new", "user-service": "new", "api-gateway": "new"},
        ["refused the manifests", LOST, "deployment/rate-limit cannot be undone", "smoke test is red"],
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failed_deploy(running: Stage, name: str):
    orders, code, cluster, says = FAILURES[name]
    running.fail(*orders)
    done = deploy(running)
    assert done.returncode == code, done.stdout + done.stderr
    assert running.cluster == cluster
    assert all(part in running.message for part in ("*prod*: not deployed", *says)), running.message
    assert_no_secret(running, done.stdout + done.stderr)
    assert UNTOUCHED not in says or not [call for call in running.calls if "undo" in call]
    smokes = sum(SMOKE in call for call in running.calls)
    assert smokes == (0 if UNTOUCHED in says else 1 + ("smoke" in name or "undo" in name)), "the second smoke test"


def test_settings_that_cannot_be_deleted_change_no_exit_code(running: Stage):
    running.fail(Failure(" delete "))
    done = succeeded(deploy(running))
    assert "old settings could not be deleted" in done.stderr


def test_first_deploy_that_fails_has_nothing_to_go_back_to(tmp_path: Path):
    empty = stage(tmp_path / "stage", *COMMANDS)
    empty.fail(Failure(SMOKE))
    done = deploy(empty)
    assert done.returncode == 3
    assert "nothing ran before" in empty.message
    assert not [call for call in empty.calls if "undo" in call]


def test_a_rollout_that_hangs_is_given_up(running: Stage):
    running.fail(Failure("rollout status statefulset/redis", "hangs", last=1))
    started = time.monotonic()
    done = deploy(running, ROLLOUT_SECONDS="1")
    assert done.returncode == 1
    assert time.monotonic() - started < 40
    assert running.cluster == OLD


def test_slack_out_of_reach_changes_no_exit_code(running: Stage):
    running.fail(Failure("^curl"))
    done = succeeded(deploy(running))
    assert "Slack was not notified" in done.stderr
    running.fail(Failure("^curl"), Failure(SMOKE))
    assert deploy(running).returncode == 3


def test_interrupted_deploy_is_reported(running: Stage):
    running.fail(Failure("rollout status statefulset/redis", "hangs"))
    environment = running.environment(**SETTINGS)
    with subprocess.Popen([BIN / "deploy.sh", "prod"], cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        until(lambda: any("rollout status" in call for call in running.calls))
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 3
    assert "interrupted" in running.message


def test_port_that_cannot_be_forwarded_is_a_red_smoke_test(running: Stage):
    running.fail(Failure("port-forward", last=1))
    done = deploy(running, SMOKE_URL="")
    assert (done.returncode, running.cluster) == (1, OLD)
    assert BACK in running.message
    assert "the gateway's port cannot be forwarded" in done.stderr
