"""The commands of docs/how-to/deploying.md and SECURITY.md are those that the pipeline needs."""

import re

from deploy.tests.pipelines.stage import BIN, ROOT


def test_every_setting_of_the_deploy_job_is_set():
    job = (ROOT / ".github/workflows/deploy.yaml").read_text(encoding="utf-8")
    text = (ROOT / "docs/how-to/deploying.md").read_text(encoding="utf-8")
    assert set(re.findall(r"vars\.(\w+)", job)) == set(re.findall(r'gh variable set (\w+) --env "\$ENVIRONMENT"', text))
    assert set(re.findall(r"secrets\.(\w+)", job)) == set(re.findall(r"gh secret set (\w+)", text))


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
