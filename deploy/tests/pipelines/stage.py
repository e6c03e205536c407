"""The surroundings of a script of deploy/bin in a test: stand-ins first on PATH, a small cluster, orders to fail."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.tests.programs import run

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / "deploy" / "bin"


@dataclass(frozen=True)
class Failure:
    """An order to fail: the calls that match `call`, from one number to another.

    `kind`: fails, partly (fails after doing a part) or hangs.
    """

    call: str
    kind: str = "fails"
    first: int = 1
    last: int = 99


@dataclass(frozen=True)
class Stage:
    folder: Path

    def run(self, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Runs a script of deploy/bin with these settings and hardly any others."""
        return run(BIN / script, *arguments, env=self.environment(**settings))

    def environment(self, **settings: str) -> dict[str, str]:
        """The script's environment: only PATH comes from ours."""
        path = os.pathsep.join((str(self.folder / "bin"), os.environ["PATH"]))
        return {"PATH": path, "HOME": str(self.folder), "STAGE": str(self.folder), **settings}

    def fail(self, *orders: Failure) -> None:
        lines = (f"{each.first} {each.last} {each.kind} {each.call}\n" for each in orders)
        (self.folder / "failures").write_text("".join(lines), encoding="utf-8")

    @property
    def calls(self) -> list[str]:
        return self.text("calls").splitlines()

    @property
    def cluster(self) -> dict[str, str]:
        """The running version of each workload."""
        return {file.name: file.read_text(encoding="utf-8") for file in (self.folder / "cluster").iterdir()}

    @property
    def message(self) -> str:
        body = self.text("message")
        return str(json.loads(body)["text"]) if body else ""

    def text(self, name: str) -> str:
        file = self.folder / name
        return file.read_text(encoding="utf-8") if file.exists() else ""


def stage(folder: Path, *commands: str, cluster: dict[str, str] | None = None, stand_in: str = "stand-in.sh") -> Stage:
    """A new stage with stand-ins for these commands; nothing fails on it."""
    (folder / "bin").mkdir(parents=True)
    for command in commands:
        (folder / "bin" / command).symlink_to(Path(__file__).with_name(stand_in))
    # Where pyenv's shim stands for python3, it takes longer than our scripts.
    (folder / "bin/python3").symlink_to(sys.executable)
    (folder / "cluster").mkdir()
    for name, version in (cluster or {}).items():
        (folder / "cluster" / name).write_text(version, encoding="utf-8")
    made = Stage(folder)
    made.fail()
    return made
