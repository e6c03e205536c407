""".ci/tools: installs what is missing, by package, and nothing else; an old kubectl is one clear line."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy.tests.programs import ROOT, linked, run

TABLE = dict(re.findall(r"\[([\w-]+)\]=([\w-]+)", (ROOT / ".ci/tools").read_text(encoding="utf-8")))
"""The package of each program."""
SYSTEM = ("bash", "chmod", "cp", "dirname", "env", "sort")


class Machine:
    """A machine with the given programs only; `installed` lists the calls of apt-get."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = linked(folder, *SYSTEM), folder / "calls"
        self.calls.touch()
        self.put("id", "echo 0")
        self.put("sudo", f'echo "sudo $*" >>"{self.calls}"; exec "$@"')
        self.put("program", f'echo "${{0##*/}} $*" >>"{self.calls}"')
        # Of what it brings, kubectl and make are run afterwards.
        bring = f'for name in kubectl make; do cp "{folder}/program" "{folder}/$name"; done'
        self.put("apt-get", f'echo "apt-get $*" >>"{self.calls}"; {bring}')

    def put(self, name: str, script: str = "") -> None:
        (self.folder / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        self.folder.joinpath(name).chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(ROOT / ".ci/tools", *arguments, env={"PATH": str(self.folder)})

    @property
    def installed(self) -> set[str]:
        calls = [line for line in self.calls.read_text().splitlines() if line.startswith("apt-get install")]
        return {word for line in calls for word in line.split()[2:] if not word.startswith("-")}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def test_a_bare_machine_gets_everything(machine: Machine):
    assert machine.run().returncode == 0
    assert machine.installed == {*TABLE.values(), "python3-venv"}
    assert machine.calls.read_text().endswith("make --no-print-directory validators\n")


def test_packages_alone(machine: Machine):
    assert machine.run("packages").returncode == 0
    assert "make" in machine.installed
    assert "validators" not in machine.calls.read_text()


def test_who_is_not_root_asks_sudo(machine: Machine):
    machine.put("id", "echo 1000")
    assert machine.run().returncode == 0
    assert "sudo apt-get update -qq" in machine.calls.read_text().splitlines()


def test_installation_that_fails_fails(machine: Machine):
    machine.put("apt-get", "exit 100")
    assert machine.run().returncode == 100


@pytest.fixture
def full(machine: Machine) -> Machine:
    for program in TABLE:
        machine.put(program)
    return machine


def test_what_is_there_is_left_alone(full: Machine):
    assert full.run().returncode == 0
    assert full.calls.read_text() == ""


def test_one_that_is_missing_is_installed_alone(full: Machine):
    (full.folder / "amtool").unlink()
    assert full.run().returncode == 0
    assert full.installed == {"prometheus-alertmanager"}


def test_python_without_venv_gets_it(full: Machine):
    full.put("python3", "exit 1")
    assert full.run().returncode == 0
    assert full.installed == {"python3-venv"}


def test_validators_that_cannot_be_built_fail_nothing_else(full: Machine):
    full.put("make", "exit 2")
    done = full.run()
    assert (done.returncode, done.stderr) == (0, "warning: no validators from Go modules\n")


def test_kubectl_that_cannot_render_is_one_line(full: Machine):
    full.put("kubectl", "echo 'Error: json: unknown field components' >&2; exit 1")
    done = full.run()
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"error: {full.folder}/kubectl cannot render deploy/kustomize" in done.stderr
