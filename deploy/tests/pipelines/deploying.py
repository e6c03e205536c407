"""What the tests of deploy.sh share: its settings, the workloads on its stage, a run."""

import subprocess

from deploy.tests.pipelines.stage import Stage

HOOK = "https://hooks.slack.test/services/T0/B0/wJalrXUtnFEMI"
API_KEY = "smoke.key-that-nobody-may-read"
WORKLOADS = ["redis", "redis-sentinel", "rate-limit", "user-service", "api-gateway"]
"""In the order of their dependencies."""
OLD = dict.fromkeys(WORKLOADS, "old")
NEW = dict.fromkeys(OLD, "new")
SETTINGS = {
    "DIGESTS": f"api-gateway@sha256:{'a1' * 32} user-service@sha256:{'b2' * 32}",
    "CLUSTER": "users-gateway",
    "AWS_REGION": "us-east-1",
    "SMOKE_URL": "https://api.example.test",
    "SMOKE_SECRET": "devops-challenge-prod/smoke",
    "SLACK_WEBHOOK_URL": HOOK,
    "STUB_SECRET": API_KEY,
    "REVISION": "0123456789abcdef0123456789abcdef01234567",
    "BRANCH": "main",
    "RUN_URL": "https://github.com/devops-challenge/users-gateway/actions/runs/7",
    "PYTHON": "service-python",
}

COMMANDS = ("kubectl", "aws", "curl", "service-python")
SMOKE = "manage_gateway.py smoke"


def deploy(where: Stage, environment: str = "prod", **settings: str) -> subprocess.CompletedProcess[str]:
    return where.run("deploy.sh", environment, **{**SETTINGS, **settings})


def assert_no_secret(where: Stage, output: str) -> None:
    seen = output + "\n".join(where.calls) + where.message
    assert API_KEY not in seen
    assert "wJalrXUtnFEMI" not in seen
