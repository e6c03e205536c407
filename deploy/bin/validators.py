"""Builds the validators that are Go programs, and JSON schemas of custom resources, in build/validators: see validators.toml.

Downloads by the Go toolchain's own proxy, and refuses a module whose checksum is not the one of validators.toml.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TABLE = HERE / "validators.toml"
FOLDER = HERE.parents[1] / "build" / "validators"
SCRIPT = "scripts/openapi2jsonschema.py"
"""Kubeconform's converter of CRDs."""
SECONDS = 400

Module = dict[str, Any]


def run(*command: object, folder: Path, **settings: str) -> str:
    words = [str(word) for word in command]
    environment = os.environ | {"GOFLAGS": "-mod=readonly", "GOWORK": "off"} | settings
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"error: `{' '.join(words)}` took more than {SECONDS} s: repeat it, or see `go env GOPROXY`")
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        sys.exit(f"error: `{' '.join(words)}` failed: {lines[-1]}")
    return done.stdout


def source(of: Module, empty: Path) -> Path:
    """The folder of a module's source. `empty` has no go.mod that could choose another version."""
    name = f"{of['path']}@{of['version']}"
    found = json.loads(run("go", "mod", "download", "-json", name, folder=empty))
    if found["Sum"] != of["sum"]:
        sys.exit(
            f"error: {name} has the checksum {found['Sum']}, {TABLE.name} says {of['sum']}: find out which is right"
        )
    return Path(found["Dir"])


def make(modules: list[Module], into: Path) -> None:
    for name in ("bin", "schemas"):
        (into / name).mkdir()
    sources = {each["path"]: source(each, into) for each in modules}
    files: list[Path] = []
    for each in modules:
        place = sources[each["path"]]
        if "program" in each:
            run("go", "build", "-trimpath", "-o", into / "bin", f"./{each['program']}", folder=place)
        for pattern in each.get("resources", ()):
            files += sorted(place.glob(pattern))
    convert = sources["github.com/yannh/kubeconform"] / SCRIPT
    settings = {"FILENAME_FORMAT": "{fullgroup}-{kind}-{version}", "DENY_ROOT_ADDITIONAL_PROPERTIES": "1"}
    run(sys.executable, convert, *files, folder=into / "schemas", **settings)


def main() -> None:
    made = FOLDER / TABLE.name
    if made.is_file() and made.read_bytes() == TABLE.read_bytes():
        return
    modules = tomllib.loads(TABLE.read_text(encoding="utf-8"))["module"]
    if shutil.which("go") is None:
        names = " ".join(Path(each["path"]).name for each in modules if "program" in each)
        sys.stdout.write(f"skipped without Go: {names}\n")
        return
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as draft:
        make(modules, Path(draft))
        shutil.copy2(TABLE, draft)
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(draft, FOLDER)


if __name__ == "__main__":
    main()
