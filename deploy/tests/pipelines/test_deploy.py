"""deploy.sh: what it calls, in which order, with which secrets, and what it leaves behind."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.tests.pipelines.deploying import (
    API_KEY,
    COMMANDS,
    HOOK,
    NEW,
    OLD,
    SETTINGS,
    SMOKE,
    WORKLOADS,
    assert_no_secret,
    deploy,
)
from deploy.tests.pipelines.stage import ROOT, Failure, Stage, stage
from deploy.tests.programs import succeeded
from tools.processes.service import Service

pytestmark = pytest.mark.slow

ENVIRONMENT = ROOT / "deploy/argocd/environments/prod/kustomization.yaml"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """After one deploy that succeeds; its output is in the file `output`, its job outputs in `job`."""
    stage_ = stage(tmp_path_factory.mktemp("deploy") / "stage", *COMMANDS, cluster=OLD)
    settings = {"BRANCH": "x`<!channel>|&", "GITHUB_OUTPUT": str(stage_.folder / "job")}
    before = ENVIRONMENT.read_text(encoding="utf-8")
    done = succeeded(deploy(stage_, **settings))
    assert ENVIRONMENT.read_text(encoding="utf-8") == before, "the checkout stays as it is"
    (stage_.folder / "output").write_text(done.stdout + done.stderr)
    return stage_


def test_deploy_applies_waits_smokes_and_says_so(deployed: Stage):
    assert deployed.cluster == NEW
    order = ("update-kubeconfig", "get-secret-value", "--dry-run=server", " apply -k ", "rollout status", SMOKE, "curl")
    calls = iter(deployed.calls)
    assert [part for part in order if not any(part in call for call in calls)] == []
    assert not [call for call in deployed.calls if "undo" in call or " patch " in call]
    assert "users-gateway *prod*: deployed" in deployed.message
    assert f"<{SETTINGS['RUN_URL']}|the run>" in deployed.message


def test_branch_name_is_not_markup(deployed: Stage):
    assert "`0123456789ab` of `x'&lt;!channel&gt;/&amp;`" in deployed.message


def test_each_image_gets_its_own_digest(deployed: Stage):
    images = re.findall(r"newName: \S+/(\S+)\n +digest: (\S+)", deployed.text("applied"))
    assert " ".join(f"{name}@{digest}" for name, digest in images) == SETTINGS["DIGESTS"]


def test_the_smoke_test_reads_its_key_from_a_private_file(deployed: Stage):
    assert deployed.text("smoke-key") == f"600 {API_KEY}"


def test_no_secret_is_in_output_arguments_or_messages(deployed: Stage):
    assert_no_secret(deployed, deployed.text("output"))
    assert HOOK in deployed.text("stdin"), "the hook goes through curl's standard input"


def test_every_call_is_bounded_and_goes_to_the_cluster_that_was_named(running: Stage):
    running.fail(Failure(SMOKE, last=1))
    deploy(running)
    surroundings = [line.split("\t") for line in running.text("surroundings").splitlines()]
    assert {parent for parent, _, _ in surroundings} == {"timeout"}
    clusters = {config for _, config, call in surroundings if call.startswith("kubectl")}
    assert len(clusters) == 1
    assert clusters.pop().endswith("/kubeconfig")
    statuses = [call.split() for _, _, call in surroundings if "rollout status" in call]
    assert all(words[-1].startswith("--timeout=") for words in statuses)
    assert [words[-2].split("/")[1] for words in statuses] == 2 * WORKLOADS, "each needs the one before it"
    assert not [call for call in running.calls if " delete " in call], "a failed deploy deletes no settings"


def test_the_job_gets_that_slack_was_notified(deployed: Stage, running: Stage, tmp_path: Path):
    assert deployed.text("job") == "told=true\n"
    assert deploy(running, DIGESTS="", GITHUB_OUTPUT=str(tmp_path / "other")).returncode == 2
    assert not (tmp_path / "other").exists(), "the workflow tells of what was not even tried"


def test_the_workflow_reports_what_the_script_could_not(running: Stage):
    done = running.run(
        "tell.sh", "prod", "1", "not deployed. checks failure, images skipped, deploy skipped", **SETTINGS
    )
    assert done.returncode == 0, done.stderr
    assert "users-gateway *prod*: not deployed. checks failure" in running.message
    assert "wJalrXUtnFEMI" not in done.stdout + done.stderr + "".join(running.calls)
    assert running.run("tell.sh", "prod").returncode == 2


def test_without_a_hook_no_message_is_sent_and_the_log_says_so(running: Stage):
    done = succeeded(deploy(running, SLACK_WEBHOOK_URL=""))
    assert "no notification" in done.stdout
    assert not [call for call in running.calls if call.startswith("curl")]


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        ((), {}, "one environment"),
        (("production",), {}, "one environment"),
        (("prod",), {"DIGESTS": ""}, "DIGESTS"),
        (("prod",), {"DIGESTS": "api-gateway:sha-0123456"}, "DIGESTS"),
        (("prod",), {"DIGESTS": f"api-gateway@sha256:{'a1' * 31}"}, "DIGESTS"),
        (("prod",), {"DIGESTS": f"api-gateway@sha256:{'a1' * 33}"}, "DIGESTS"),
        (("prod",), {"SMOKE_URL": "api.example.test"}, "SMOKE_URL"),
        (("prod",), {"AWS_REGION": ""}, "AWS_REGION"),
        (("prod",), {"ROLLOUT_SECONDS": "5m"}, "ROLLOUT_SECONDS"),
    ],
)
def test_wrong_usage_calls_no_program(running: Stage, arguments: tuple[str, ...], settings: dict[str, str], says: str):
    done = running.run("deploy.sh", *arguments, **{**SETTINGS, **settings})
    assert done.returncode == 2
    assert says in done.stderr
    assert running.calls == []


def test_dev_needs_neither_aws_nor_a_key(running: Stage):
    succeeded(deploy(running, "dev", CLUSTER="", SMOKE_SECRET="", AWS_REGION=""))
    assert not [call for call in running.calls if call.startswith("aws")]
    assert all("--namespace devops-challenge-dev" in call for call in running.calls if call.startswith("kubectl"))


def test_smoke_is_at_the_door_or_by_a_forwarded_port(running: Stage):
    deploy(running)
    assert [call for call in running.calls if SMOKE in call] == [
        f"service-python {SMOKE} --url https://api.example.test --door"
    ]
    deploy(running, SMOKE_URL="")
    forward, last = (call for call in running.calls if "port-forward" in call or "http://localhost" in call)
    assert forward.startswith("kubectl --namespace devops-challenge-prod port-forward")
    assert last == f"service-python {SMOKE} --url http://localhost:40123"


def test_nothing_is_left_behind(running: Stage, tmp_path: Path):
    (tmp_path / "tmp").mkdir()
    for url in (SETTINGS["SMOKE_URL"], ""):
        deploy(running, TMPDIR=str(tmp_path / "tmp"), SMOKE_URL=url)
        assert list((tmp_path / "tmp").iterdir()) == []
        assert processes(running) == []


def processes(of: Stage) -> list[bytes]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [line for line in [file.read_bytes()] if str(of.folder).encode() in line]
    return found


def test_the_real_smoke_test_runs_with_what_it_gets(running: Stage, gateway_service: Service):
    done = succeeded(deploy(running, PYTHON=sys.executable, SMOKE_URL=gateway_service.url))
    assert re.search(r"create +ok", done.stdout)
    done = succeeded(deploy(running, PYTHON=sys.executable, SMOKE_URL="", STUB_PORT=str(gateway_service.port)))
    assert re.search(r"ready +ok", done.stdout)
