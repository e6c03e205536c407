"""Rules for every workflow."""

import os
import re

import yaml

from deploy.tests.pipelines.stage import BIN, ROOT
from deploy.tests.pipelines.workflows import FOLDER, jobs, make_targets, steps, workflows
from deploy.tests.programs import run

USES = re.compile(r"^\s*(?:- )?uses: (?P<what>\S+)(?P<comment>.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
WRITES = {
    "images/build": {"packages"},
    "images/publish": {"packages", "id-token", "security-events"},
    "deploy/images": {"packages", "id-token", "security-events"},
    "deploy/deploy": {"id-token"},
    "scheduled/images": {"security-events"},
    "release/release": {"contents", "packages", "id-token"},
}
"""The jobs with write permissions."""


def test_actions_are_pinned_by_commit_with_their_version():
    found = [match for file in FOLDER.glob("*.yaml") for match in USES.finditer(file.read_text(encoding="utf-8"))]
    foreign = [match for match in found if not match["what"].startswith("./")]
    assert len(foreign) > 20
    for match in foreign:
        assert PINNED.fullmatch(match["what"]), match[0]
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", match["comment"]), match[0]


def test_an_action_has_one_version_everywhere():
    versions: dict[str, set[str]] = {}
    for _, step in steps():
        name, _, commit = step.get("uses", "").partition("@")
        versions.setdefault(name, set()).add(commit)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_no_workflow_has_a_permission_and_no_job_more_than_it_needs():
    assert {name for name, content in workflows().items() if content["permissions"] != {}} == set()
    found = {name: {key for key, value in job["permissions"].items() if value == "write"} for name, job in jobs()}
    assert {name: what for name, what in found.items() if what} == WRITES


def test_a_called_workflow_gets_what_its_jobs_need():
    for name, job in jobs():
        if called := job.get("uses"):
            inner = workflows()[called.rsplit("/", 1)[-1].removesuffix(".yaml")]
            needed = {pair for each in inner["jobs"].values() for pair in each["permissions"].items()}
            given = job["permissions"]
            assert all(given.get(scope) in {access, "write"} for scope, access in needed), name


def test_every_job_has_a_bound():
    assert [name for name, job in jobs() if "uses" not in job and "timeout-minutes" not in job] == []


def test_every_run_is_one_plain_line_that_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, step in steps():
        command = step.get("run", "make install")
        assert "\n" not in command.strip(), f"{name}: a script of deploy/bin, which a test runs"
        assert "${{" not in command, f"{name}: a value from outside belongs into env"
        for script in re.findall(r"deploy/bin/\S+|\.ci/\S+", command):
            assert os.access(ROOT / script, os.X_OK), f"{name}: {script}"
        for target in make_targets(command):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{name}: make {target}"


def test_every_image_is_published_and_its_site_tested():
    stages = {line.split()[0] for line in run(BIN / "image_names.sh").stdout.splitlines()}
    assert stages >= {"gateway", "users"}
    for job, name in (("images/build", "target"), ("ci/test", "site")):
        assert {*dict(jobs())[job]["strategy"]["matrix"][name]} == stages


def test_all_green_waits_for_every_other_job():
    ci = workflows()["ci"]["jobs"]
    assert set(ci["all-green"]["needs"]) == set(ci) - {"all-green"}
    assert ci["all-green"]["if"] == "always()"


def test_nothing_is_deployed_that_has_not_passed():
    deploy = workflows()["deploy"]["jobs"]
    assert deploy["images"]["needs"] == "ci"
    assert deploy["deploy"]["needs"] == "images"
    conditional = {name for name, job in deploy.items() if "if" in job}
    assert conditional == {"told"}, "a condition can let a job run after a failure"
    assert not [name for name, job in deploy.items() if "told" in job.get("needs", ())]


def test_every_failure_of_a_deploy_is_reported():
    deploy = workflows()["deploy"]["jobs"]
    told = deploy["told"]
    assert set(told["needs"]) == set(deploy) - {"told"}
    assert told["if"] == "${{ (failure() || cancelled()) && needs.deploy.outputs.told != 'true' }}"
    assert deploy["deploy"]["outputs"] == {"told": "${{ steps.deploy.outputs.told }}"}
    assert "environment" not in told, "it would wait for prod's reviewers"


def test_workflows_do_not_wait_for_themselves():
    groups = [content["concurrency"]["group"] for content in workflows().values() if "concurrency" in content]
    groups += [job["concurrency"]["group"] for _, job in jobs() if "concurrency" in job]
    assert len(groups) == len(set(groups)) == 5
    assert not [group for group in groups if "github.workflow" in group], "is the caller's in a called workflow"


def test_where_the_cloud_is_in_reach_no_tool_of_the_tests_is_installed():
    lines = [step["run"] for step in workflows()["deploy"]["jobs"]["deploy"]["steps"] if "run" in step]
    assert lines == ["make install-services", 'deploy/bin/deploy.sh "$ENVIRONMENT"']


def test_a_deploy_is_never_cut_off_and_holds_up_no_checks():
    deploy = workflows()["deploy"]
    assert "concurrency" not in deploy, "a run that waits for approval would block the checks of later pushes"
    assert {name for name, job in deploy["jobs"].items() if "concurrency" in job} == {"images", "deploy"}
    assert not deploy["jobs"]["images"]["concurrency"]["cancel-in-progress"]
    assert deploy["jobs"]["deploy"]["concurrency"]["cancel-in-progress"] is False
    assert "github.run_id" in workflows()["ci"]["concurrency"]["group"], (
        "of several pushes none waits, none is cancelled"
    )


def test_the_longest_deploy_fits_into_its_job():
    script = (ROOT / "deploy/bin/deploy.sh").read_text(encoding="utf-8")
    rollout = int(re.search(r"ROLLOUT_SECONDS:-(\d+)", script)[1])
    call = int(re.search(r"CALL_SECONDS=(\d+)", script)[1])
    smoke = int(re.search(r"SMOKE_SECONDS=(\d+)", script)[1])
    workloads, stores = 5, 2
    calls = 2 + workloads + stores + 2 + workloads + 3  # aws; revisions; dry run and apply; undo; what prune reads
    longest = calls * call + 2 * (rollout + workloads * 6) + 2 * smoke + 30
    installation = 180
    assert longest + installation < workflows()["deploy"]["jobs"]["deploy"]["timeout-minutes"] * 60


def test_dependabot_covers_every_lock():
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))["updates"]
    npm = next(each for each in updates if each["package-ecosystem"] == "npm")
    locks = {file.parent.relative_to(ROOT) for file in ROOT.glob("[!.]*/**/package-lock.json")}
    ours = {folder for folder in locks if not {"node_modules", "build"} & set(folder.parts)}
    assert {f"/{folder}" for folder in ours} == set(npm["directories"])
    assert all(each["cooldown"]["default-days"] >= 7 for each in updates)
