"""The policies and commands of docs/how-to/deploying.md and SECURITY.md are those that the pipeline needs."""

import json
import re

from deploy.tests.pipelines.stage import BIN, ROOT
from deploy.tests.pipelines.workflows import workflows


def policies() -> list[dict[str, list[dict[str, object]]]]:
    text = (ROOT / "docs/how-to/deploying.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def test_the_role_may_what_the_script_asks_and_nothing_else():
    _, deploy, _ = policies()
    calls = set(re.findall(r"\baws ([a-z]+) ([a-z-]+)", (BIN / "deploy.sh").read_text(encoding="utf-8")))
    assert calls == {("eks", "update-kubeconfig"), ("secretsmanager", "get-secret-value")}
    actions = {str(statement["Action"]): str(statement["Resource"]) for statement in deploy["Statement"]}
    assert set(actions) == {"eks:DescribeCluster", "secretsmanager:GetSecretValue"}
    assert not [resource for resource in actions.values() if resource == "*" or resource.endswith(":*")]


def test_only_the_environment_of_our_repository_may_take_the_role():
    trust, _, _ = policies()
    (statement,) = trust["Statement"]
    condition = json.dumps(statement["Condition"])
    assert "repo:devops-challenge/users-gateway:environment:prod" in condition
    assert "StringLike" not in condition


def test_the_operator_reads_the_secrets_of_the_services_and_no_others():
    _, _, secrets = policies()
    (statement,) = secrets["Statement"]
    files = (ROOT / "deploy/kustomize/components/external-secrets").glob("*.yaml")
    read = {key for file in files for key in re.findall(r"key: NAMESPACE/([\w-]+)", file.read_text(encoding="utf-8"))}
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert {re.sub(r"^.*secret:[\w-]+/(.*)-\*$", r"\1", each) for each in statement["Resource"]} == read


def test_every_setting_of_the_deploy_job_is_set():
    job = (ROOT / ".github/workflows/deploy.yaml").read_text(encoding="utf-8")
    text = (ROOT / "docs/how-to/deploying.md").read_text(encoding="utf-8")
    assert set(re.findall(r"vars\.(\w+)", job)) == set(re.findall(r"gh variable set (\w+) --env prod", text))
    assert set(re.findall(r"secrets\.(\w+)", job)) == set(re.findall(r"gh secret set (\w+)", text))


def test_only_main_reaches_prod_and_all_green_is_required():
    text = (ROOT / "docs/how-to/deploying.md").read_text(encoding="utf-8")
    assert '"protected_branches": false, "custom_branch_policies": true' in text
    assert 'environments/prod/deployment-branch-policies" -f name=main\n' in text
    assert '"required_status_checks": [{"context": "All green"}]' in text
    assert workflows()["ci"]["jobs"]["all-green"]["name"] == "All green"


def test_who_signs_is_the_same_everywhere():
    identity = ".github/workflows/images.yaml@refs/heads/main"
    for file in ("SECURITY.md", "deploy/bin/release.sh", "deploy/kustomize/components/signed-images/policy.yaml"):
        assert identity in (ROOT / file).read_text(encoding="utf-8"), file
    assert (ROOT / ".github/workflows/images.yaml").exists()
    assert ".github/workflows/release.yaml@refs/tags/v1.2.3" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_images_are_verified_in_the_form_in_which_they_are_signed():
    form = "--new-bundle-format=false"
    assert f"cosign sign --yes {form}" in (BIN / "publish_images.sh").read_text(encoding="utf-8")
    for file in ("SECURITY.md", "deploy/bin/release.sh", "deploy/kustomize/components/signed-images/README.md"):
        found = re.findall(r"cosign verify .*", (ROOT / file).read_text(encoding="utf-8"))
        assert found, file
        assert [line for line in found if form not in line] == [], file
