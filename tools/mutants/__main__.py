"""`make mutants`: the mutants of the core that no test kills. Exit code 1 if there are any but those in `explained.txt`.

ROOM=guard: only this one. SECONDS=600: the longest time (default: 7200). Verdicts are kept in build/mutants: the next run
continues where this one stopped, and repeats survivors; delete them to run all again.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from common.config.environment import choice, integer
from tools.mutants.plugin import EXPLAINED, KILLED
from tools.run.services import ROOT

VERDICTS = ROOT / "build/mutants"


@dataclass(frozen=True, slots=True)
class Room:
    """Modules, their site, and the tests."""

    modules: str
    site: str
    tests: str


FORWARDING = " ".join(f"gateway_site/forwarding/{name}.py" for name in ("circuit", "headers", "retries"))
ROOMS = {
    "problems": Room("common/http/problem*.py", "gateway", "common/tests/test_*problem*.py common/tests/openapi"),
    "forwarding": Room(FORWARDING, "gateway", "gateway_site/tests/forwarding"),
    "guard": Room(
        "gateway_site/guard/*.py",
        "gateway",
        "gateway_site/tests/guard gateway_site/tests/management/test_create_api_key.py",
    ),
    "repository": Room(
        "users_site/repository/*.py", "users", "users_site/tests/repository users_site/tests/test_password_file.py"
    ),
}


def main() -> int:
    until = time.time() + integer("SECONDS", 7200, minimum=1, maximum=86_400)
    wanted = choice("ROOM", "all", ("all", *ROOMS))
    found = [mutant for name, room in ROOMS.items() if wanted in ("all", name) for mutant in alive(name, room, until)]
    return 1 if found else 0


def alive(name: str, room: Room, until: float) -> list[str]:
    """Runs the room's mutants; prints and returns those that are neither killed nor explained."""
    path = VERDICTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"--ds={room.site}_site.settings",
        "-p",
        "tools.mutants.plugin",
        "--tb=no",
    ]
    command += ["--verdicts", str(path), "--explained", "tools/mutants/explained.txt", "--until", str(until)]
    command += ["--mutate", *files(room.modules), "--", *files(room.tests)]
    sys.stdout.write(f"{name}: recording which tests reach which functions\n")
    sys.stdout.flush()
    with path.with_suffix(".log").open("wb") as log, TemporaryDirectory(prefix="mutants-") as folder:
        # Tests that are killed leave files behind.
        subprocess.run(command, cwd=ROOT, env={**os.environ, "TMPDIR": folder}, stdout=log, check=True)
    verdicts = json.loads(path.read_text())
    found = [mutant for mutant, verdict in verdicts.items() if verdict not in {KILLED, EXPLAINED}]
    counts = ", ".join(f"{number} {verdict}" for verdict, number in Counter(verdicts.values()).items())
    sys.stdout.write(f"\n{name}: {len(verdicts)} mutants, {counts}\n")
    sys.stdout.write("".join(f"  {verdicts[mutant]}: {mutant}\n" for mutant in found))
    return found


def files(patterns: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for each in patterns.split() for path in sorted(ROOT.glob(each))]


if __name__ == "__main__":
    sys.exit(main())
