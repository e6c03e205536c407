"""`python -m tools.clients`, which `make client` calls: writes typed clients of the gateway to build/clients.

Each is generated from docs/openapi/gateway.yaml and compiled under strict settings, together with its program from
docs/how-to/clients.md. Names and skips a language whose toolchain is missing. Exits 1 if a client cannot be made.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from tools.clients.examples import program
from tools.run.services import ROOT

SCHEMA = ROOT / "docs" / "openapi" / "gateway.yaml"
SOURCES = Path(__file__).parent
TARGET = ROOT / "build" / "clients"
README = "# A generated client\n\nHow to use it: docs/how-to/clients.md in the repository that it comes from.\n"
SECONDS = 600
"""Time-out of a step. The slowest downloads a build tool's plugins."""


class NotMadeError(Exception):
    """A step failed; the text has its output."""


def make_python(folder: Path) -> None:
    """A package on httpx and attrs, checked by mypy --strict."""
    options = ["--output-path", str(folder), "--config", str(SOURCES / "python" / "config.yaml"), "--fail-on-warning"]
    run([sys.executable, "-m", "openapi_python_client", "generate", "--path", str(SCHEMA), *options], ROOT)
    (folder / "example.py").write_text(program("python"))
    mypy = [sys.executable, "-m", "mypy", "--config-file", str(SOURCES / "python" / "mypy.ini")]
    run([*mypy, "users_gateway_client", "example.py"], folder)


def make_typescript(folder: Path) -> None:
    """Two clients, on openapi-fetch and by @hey-api/openapi-ts, checked by tsc --strict."""
    shutil.copytree(SOURCES / "typescript", folder)
    run(["npm", "ci", "--ignore-scripts"], folder)
    options = ["--default-non-nullable=false", "--enum=false"]  # a request may omit a field with a default
    run(["npm", "exec", "--", "openapi-typescript", str(SCHEMA), "-o", "schema.ts", *options], folder)
    run(["npm", "exec", "--", "openapi-ts", "-i", str(SCHEMA), "-o", "hey-api"], folder)
    (folder / "example.ts").write_text(program("typescript"))
    run(["npm", "exec", "--", "tsc"], folder)


def make_go(folder: Path) -> None:
    """A module on net/http, checked by go vet, and the example's binary."""
    generate(folder, "go", "packageName=users", "withGoMod=false")
    shutil.rmtree(folder / "test")
    (folder / "go.mod").write_text("module users\n\ngo 1.24\n")
    (folder / "example").mkdir()
    (folder / "example" / "main.go").write_text(program("go"))
    run(["go", "vet", "./..."], folder)
    run(["go", "build", "-o", "example/example", "./example"], folder)


def make_java(folder: Path) -> None:
    """A Maven project on java.net.http, compiled with its program."""
    package = [f"{part}=com.example.users{end}" for part, end in PACKAGES.items()]
    generate(folder, "java", *package, "hideGenerationTimestamp=true", library="native")
    shutil.copy(SOURCES / "java" / "Example.java", folder / "src/main/java/com/example/users")
    run(["mvn", "-B", "-q", "-DskipTests", "package", "dependency:copy-dependencies"], folder)


PACKAGES = {"invokerPackage": "", "apiPackage": ".api", "modelPackage": ".model"}

CLIENTS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "python": (make_python, ()),
    "typescript": (make_typescript, ("npm",)),
    "go": (make_go, ("go", "java")),
    "java": (make_java, ("mvn", "java")),
}
"""The functions that make the clients, and the programs that each needs."""


def missing(language: str) -> list[str]:
    return [program for program in CLIENTS[language][1] if shutil.which(program) is None]


def main() -> int:
    failed = False
    for language, (make, _) in CLIENTS.items():
        folder = TARGET / language
        shutil.rmtree(folder, ignore_errors=True)
        if lacking := missing(language):
            sys.stdout.write(f"skipped {language}: it needs {' and '.join(lacking)}\n")
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            make(folder)
            (folder / "README.md").write_text(README)
            (folder / "git_push.sh").unlink(missing_ok=True)
        except NotMadeError as error:
            sys.stderr.write(f"error: {language}: {error}\n")
            failed = True
        else:
            sys.stdout.write(f"made and checked {folder.relative_to(ROOT)}\n")
    return int(failed)


def generate(folder: Path, generator: str, *properties: str, library: str = "") -> None:
    """Runs openapi-generator, whose jar is in its Python package."""
    jar = files("openapi_generator_cli") / "openapi-generator.jar"
    command = [
        "java",
        "-jar",
        str(jar),
        "generate",
        "-i",
        str(SCHEMA.relative_to(ROOT)),
        "-g",
        generator,
        "-o",
        str(folder),
    ]
    command += ["--additional-properties", ",".join(properties)]
    run([*command, "--library", library] if library else command, ROOT)  # it accepts no space in the document's path


def run(command: list[str], folder: Path) -> None:
    """One step. Raises NotMadeError."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # a generator calls ruff by its name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotMadeError(f"{' '.join(command)}: no end after {SECONDS} s") from error
    if done.returncode != 0:
        raise NotMadeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
