"""`python -m tools.schema.lint`: docs/openapi/*.yaml under the rules of Redocly (`recommended`) and Spectral (`oas`).

A warning fails too. Needs npm; without it the linters are skipped by name, and under CI that is a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.run.services import ROOT

LINTERS = Path(__file__).with_name("linters")
INSTALLED = ROOT / "build" / "schema-linters"
SCHEMAS = sorted(str(path) for path in (ROOT / "docs" / "openapi").glob("*.yaml"))
COMMANDS = (
    ("redocly", "lint", "--extends", "recommended", "--max-problems", "1000", *SCHEMAS),
    ("spectral", "lint", "--fail-severity", "hint", "--ruleset", str(LINTERS / "spectral.yaml"), *SCHEMAS),
)
SECONDS = 300


def main() -> int:
    npm = shutil.which("npm")
    if npm is None:
        sys.stderr.write("skipped: redocly and spectral need npm\n")
        return 1 if "CI" in os.environ else 0
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LINTERS / name, INSTALLED)
    subprocess.run([npm, "ci", "--silent", "--ignore-scripts"], cwd=INSTALLED, check=True, timeout=SECONDS)
    return max(lint(command) for command in COMMANDS)


def lint(command: tuple[str, ...]) -> int:
    program, *arguments = command
    done = subprocess.run(
        [INSTALLED / "node_modules" / ".bin" / program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    # Redocly exits with 0 for warnings.
    failed = done.returncode != 0 or "warning" in done.stderr.partition("validating")[2].lower()
    if failed:
        sys.stderr.write(done.stdout + done.stderr)
    sys.stdout.write(f"{program}: {'with findings, see above' if failed else 'without a finding'}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
