"""docs/how-to/deploying.md, command by command: real kubectl against an API server with RBAC, stand-ins for AWS and GitHub."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.conftest import objects
from deploy.tests.pipelines.api_server import api_server
from deploy.tests.pipelines.cluster import ADMINISTRATOR, Cluster
from deploy.tests.pipelines.deploying import SETTINGS
from deploy.tests.pipelines.stage import BIN, ROOT, Stage, stage
from deploy.tests.programs import run, succeeded
from deploy.tests.test_access import wanted
from packages.preflight import Rendering, render

pytestmark = [pytest.mark.program("kubectl"), pytest.mark.slow]

NAMESPACE = "devops-challenge-prod"
PAGE = ROOT / "docs" / "how-to" / "deploying.md"
COMPONENTS = ROOT / "deploy" / "kustomize" / "components"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDED = ("shared-rate-limit", "redis-sentinel", "signed-images", "monitoring", "backup")
"""Added to prod beside the page's own components: those with their own commands, and those with their own kinds."""


def blocks(file: Path, until: str = "\x00") -> list[str]:
    """The shell blocks of a page, up to a heading."""
    return BLOCK.findall(file.read_text(encoding="utf-8").split(until)[0])


@dataclass(frozen=True)
class Account(Stage):
    """A checkout, the stand-ins, a cluster: the result of the page's commands."""

    api: Cluster

    def environment(self, **settings: str) -> dict[str, str]:
        return super().environment(KUBECONFIG=str(self.folder / "administrator"), **settings)

    def sh(self, script: str) -> subprocess.CompletedProcess[str]:
        command = ("bash", "-euo", "pipefail", "-c", script)
        return run(*command, folder=self.folder / "checkout", env=self.environment())

    def secrets(self) -> dict[str, set[str]]:
        """The keys of each secret in Secrets Manager; a secret that is not an object has none."""
        found = {}
        for file in (self.folder / "secrets").iterdir():
            content = file.read_text()
            found[file.name.replace(":", "/")] = set(json.loads(content)) if content.startswith("{") else set()
        return found

    def policy(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "policies" / f"{name}.json").read_text())
        return found

    def deploy(self, digit: str) -> subprocess.CompletedProcess[str]:
        """Deploys as the pipeline does, with the role that the page created."""
        digests = " ".join(f"{image}@sha256:{digit * 64}" for image in ("api-gateway", "user-service"))
        settings = {**SETTINGS, "DIGESTS": digests, "AWS_REGION": "eu-central-1", "SLACK_WEBHOOK_URL": ""}
        return run(self.folder / "checkout/deploy/bin/deploy.sh", "prod", env=self.environment(**settings))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """After the whole page, as far as a first deployment needs it."""
    folder = tmp_path_factory.mktemp("account") / "stage"
    stage(folder, "aws", "eksctl", "helm", "gh", "service-python", stand_in="account.sh")
    checkout = folder / "checkout"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if path.name not in {"deploy", ".venv", ".git", "build"}:
            (checkout / path.name).symlink_to(path)
    (checkout / ".venv").symlink_to(Path(sys.prefix))
    subprocess.run(["cp", "-R", ROOT / "deploy", checkout / "deploy"], check=True)
    kinds = {(each["apiVersion"], each["kind"]) for each in known(checkout)}
    with api_server(kinds) as cluster:
        made = Account(folder, cluster)
        cluster.kubeconfig(folder / "administrator", ADMINISTRATOR)
        installed(cluster)
        own = blocks(PAGE)[0].replace("us-east-1", "eu-central-1").replace("api.example.com", "api.acme.test")
        script = "\n".join([own, *blocks(PAGE, "## 6.")[1:]])
        succeeded(made.sh(script))
        yield made


def installed(cluster: Cluster) -> None:
    """The objects of the charts on the page that its commands use."""
    for name in ("cert-manager", "monitoring"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.write(("", "namespaces", "", name), namespace, is_dry=False)
    deployment = {"kind": "Deployment", "metadata": {"name": "cert-manager"}, "spec": {"template": {}}}
    key = ("apps", "deployments", "cert-manager", "cert-manager")
    cluster.write(key, {"apiVersion": "apps/v1", **deployment}, is_dry=False)


def known(checkout: Path) -> Iterator[dict[str, Any]]:
    """Every object of the repository and the page: the cluster serves their kinds."""
    for folder in ("deploy/kustomize", "deploy/argocd/access"):
        for text in (file.read_text(encoding="utf-8") for file in (checkout / folder).rglob("*.yaml")):
            if "\nkind: " in text and "config.k8s.io" not in text:
                yield from yaml.load_all(text, Loader=yaml.CSafeLoader)
    yield {"apiVersion": "v1", "kind": "Secret"}
    for block in blocks(PAGE):
        for document in re.findall(r"<<'END'\n(apiVersion.*?)^END$", block, re.MULTILINE | re.DOTALL):
            yield from yaml.safe_load_all(document)


def rendering(account: Account) -> Rendering:
    return objects(render(account.folder / "checkout/deploy/argocd/environments/prod"))


def test_each_secret_that_prod_reads_is_created_and_no_key_more(account: Account):
    created = account.secrets()
    assert created.pop(f"{NAMESPACE}/smoke") == set()
    assert created == wanted(rendering(account))


def test_the_gateway_gets_the_hash_of_the_key_that_the_smoke_test_has(account: Account):
    secret = json.loads((account.folder / "secrets" / f"{NAMESPACE}:api-gateway-secrets").read_text())
    key = (account.folder / "secrets" / f"{NAMESPACE}:smoke").read_text()
    _, identity, rest = key.split("_", 2)
    assert secret["api-keys"].startswith(f"{identity} smoke users:read,users:write never sha256:")
    assert len(rest) > 40
    assert rest not in secret["api-keys"]


def test_your_values_are_in_one_file(account: Account):
    found = {(each.kind, each.name): each for each in rendering(account)}
    annotations = found["ServiceAccount", "external-secrets"].annotations
    role = f"users-gateway-secrets.{NAMESPACE}"
    assert annotations["eks.amazonaws.com/role-arn"] == f"arn:aws:iam::123456789012:role/{role}"
    assert f" --role-name {role} " in account.text("calls")
    assert found["SecretStore", "aws-secrets-manager"].spec["provider"]["aws"]["region"] == "eu-central-1"
    assert found["Gateway", "public"].spec["listeners"][1]["hostname"] == "api.acme.test"
    assert found["HTTPRoute", "api-gateway"].spec["hostnames"] == ["api.acme.test"]
    assert ("ConfigMap", "site") not in found


def test_policies_name_what_the_script_asks_of_aws_and_nothing_else(account: Account):
    calls = set(re.findall(r"\baws ([a-z]+) ([a-z-]+)", (BIN / "deploy.sh").read_text(encoding="utf-8")))
    assert calls == {("eks", "update-kubeconfig"), ("secretsmanager", "get-secret-value")}
    assert {each["Action"]: each["Resource"] for each in account.policy("deploy")["Statement"]} == {
        "eks:DescribeCluster": "arn:aws:eks:eu-central-1:123456789012:cluster/users-gateway",
        "secretsmanager:GetSecretValue": f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{NAMESPACE}/smoke-*",
    }
    (trust,) = account.policy("trust")["Statement"]
    assert trust["Condition"]["StringEquals"] == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": "repo:devops-challenge/users-gateway:environment:prod",
    }
    (secrets,) = account.policy("secrets")["Statement"]
    read = {re.sub(r"^.*:secret:(.*)-\*$", r"\1", each) for each in secrets["Resource"]}
    assert (secrets["Action"], read) == ("secretsmanager:GetSecretValue", set(wanted(rendering(account))))


def test_the_pipeline_deploys_with_the_rights_it_was_given(account: Account):
    succeeded(account.deploy("a"))
    assert account.api.refused == []
    deployments = {
        each["metadata"]["name"]: each["spec"]["replicas"] for each in account.api.of("deployments", NAMESPACE)
    }
    assert deployments == {"api-gateway": 2, "user-service": 2}, "the minimum of the autoscalers"


def test_a_later_deploy_leaves_the_autoscalers_number_and_deletes_settings_that_nobody_uses(account: Account):
    deployment, old_pods, job = (
        ("apps", "deployments", NAMESPACE, "api-gateway"),
        ("apps", "replicasets", NAMESPACE, "api-gateway-1"),
        ("batch", "jobs", NAMESPACE, "backup-1"),
    )
    objects, before = account.api.objects, generated_settings(account)
    objects[deployment]["spec"]["replicas"] = 7
    [of_users] = (name for name in before if name.startswith("user-service"))
    del objects["apps", "replicasets", NAMESPACE, "user-service-1"]
    uses = {"template": {"spec": {"containers": [{"envFrom": [{"configMapRef": {"name": of_users}}]}]}}}
    backup = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "backup-1"}, "spec": uses}
    account.api.write(job, backup, is_dry=False)
    for name in ("gateway", "users"):
        file = account.folder / f"checkout/deploy/kustomize/base/{name}/settings.env"
        file.write_text(file.read_text().replace("MAX_BODY_BYTES=65536", "MAX_BODY_BYTES=4096"))
    succeeded(account.deploy("a"))
    assert objects[deployment]["spec"]["replicas"] == 7
    assert before < generated_settings(account), "a rollback needs the gateway's, a running job the other"
    del objects[old_pods], objects[job]
    succeeded(account.deploy("a"))
    assert len(generated_settings(account)) == 2
    assert not before & generated_settings(account)
    assert account.api.refused == []


def test_a_red_smoke_test_rolls_every_workload_back(account: Account):
    before = running(account)
    (account.folder / "smoke-fails-once").touch()
    config = account.folder / "checkout/deploy/kustomize/base/redis/redis.conf"
    config.write_text(config.read_text().replace("maxclients 1000", "maxclients 900"))
    done = account.deploy("d")
    assert done.returncode == 1, done.stdout + done.stderr
    assert (account.folder / "smoke-failed").exists()
    assert "rolled back, and the smoke test passes" in done.stdout
    assert running(account) == before
    assert account.api.refused == []


def running(account: Account) -> dict[str, set[str]]:
    """The images and settings of each workload, by their digests and hashes."""
    found = [*account.api.of("deployments", NAMESPACE), *account.api.of("statefulsets", NAMESPACE)]
    hashes = re.compile(r"sha256:[0-9a-f]{64}|[a-z-]+-(?=[a-z]*\d)[a-z0-9]{10}(?=\")")
    return {each["metadata"]["name"]: set(hashes.findall(json.dumps(each["spec"]["template"]))) for each in found}


def generated_settings(account: Account) -> set[str]:
    names = {each["metadata"]["name"] for each in account.api.of("configmaps", NAMESPACE)}
    return {name for name in names if re.match(r"(api-gateway|user-service)-settings-", name)}


def test_the_pipeline_deploys_every_component_that_has_rights_to_be_given(account: Account):
    overlay = account.folder / "checkout/deploy/kustomize/overlays/prod/kustomization.yaml"
    text = overlay.read_text()
    prod = yaml.safe_load(text)
    prod["components"] += [f"../../components/{name}" for name in ADDED]
    try:
        overlay.write_text(yaml.safe_dump(prod))
        extra = "\n".join(block for name in ADDED for block in blocks(COMPONENTS / name / "README.md"))
        functions = next(block for block in blocks(PAGE) if "add_key()" in block)
        succeeded(account.sh(f"{blocks(PAGE)[0]}\n{functions}\n{extra}"))
        succeeded(account.deploy("c"))
        assert account.api.refused == []
        assert wanted(rendering(account)).items() <= account.secrets().items()
    finally:
        overlay.write_text(text)
