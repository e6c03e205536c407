"""`python -m tools.new_service NAME`, which `make new-service NAME=orders` calls: a third Django project behind the gateway.

NAME is the plural of what the service stores: lower-case letters, the last an s. Writes NAME_site with tests,
manage_NAME.py and a Kustomize component, and adds the service to existing files. Exit codes: 0 written, 1 it exists, 2
wrong usage.
"""

import builtins
import keyword
import re
import sys
from pathlib import Path

from tools.new_service.entries import enter
from tools.run.services import further, singular

TEMPLATE = Path(__file__).parent / "template"
FIRST_PORT = 3002
LONGEST = 20
UNDO = "to remove it again, where nothing else is uncommitted: git restore . && git clean -fd && rm -rf {}_site"
"""`git clean` keeps folders with ignored files: __pycache__."""

TAKEN = {"users", "gateways", "redis", "metrics", "docs", "problems", "tests", "tools", "packages", "urls", "settings"}


def main(arguments: list[str]) -> int:
    """Writes into the working directory."""
    name = arguments[0] if len(arguments) == 1 else ""
    if not re.fullmatch(r"[a-z]+s", name) or len(name) > LONGEST:
        sys.stderr.write(
            f"error: give a plural of at most {LONGEST} lower-case letters that ends in s: make new-service NAME=orders\n"
        )
        return 2
    if name in TAKEN or any(keyword.iskeyword(word) or hasattr(builtins, word) for word in (name, singular(name))):
        sys.stderr.write(f"error: Python or this project uses the name {name}: choose another, as in NAME=orders\n")
        return 2
    root = Path()
    if (root / f"{name}_site").exists():
        sys.stderr.write(f"error: {name}_site exists: choose another name; {UNDO.format(name)}\n")
        return 1
    port = max([FIRST_PORT - 1, *further(root).values()]) + 1
    write(root, name, port)
    enter(root, name, port)
    sys.stdout.write(f"written: {name}_site, manage_{name}.py, deploy/kustomize/components/{name}; see `git status`\n")
    sys.stdout.write(f"{UNDO.format(name)}\n")
    return 0


def renamed(text: str, name: str, port: int) -> str:
    """The template's text for a service of this name."""
    for old, new in (("widgets", name), ("widget", singular(name))):
        for case in (str.lower, str.title, str.upper):
            text = text.replace(case(old), case(new))
    return text.replace("3999", str(port))


def write(root: Path, name: str, port: int) -> None:
    """The files of the service."""
    kustomize = root / "deploy/kustomize"
    targets = {
        "site": root / f"{name}_site",
        "base": kustomize / "base" / name,
        "component": kustomize / "components" / name,
    }
    for folder, target in targets.items():
        for file in sorted((TEMPLATE / folder).rglob("*.txt")):
            path = renamed(str(file.relative_to(TEMPLATE / folder).with_suffix("")), name, port)
            _write(target / path, renamed(file.read_text("utf-8"), name, port))
    for package in (targets["site"], targets["site"] / "tests"):
        _write(package / "__init__.py", "")
    manage = root / f"manage_{name}.py"
    _write(manage, renamed((TEMPLATE / "manage.py.txt").read_text("utf-8"), name, port))
    manage.chmod(0o755)
    for file in sorted((kustomize / "base/users").glob("*.yaml")):
        _write(targets["base"] / file.name, like_users(file.read_text("utf-8"), name, port))

    dev = kustomize / "overlays/dev"
    patch = (dev / "deployment-users.yaml").read_text("utf-8")
    _write(dev / f"deployment-{name}.yaml", like_users(patch, name, port))


def like_users(text: str, name: str, port: int) -> str:
    """A manifest of the user service for this one, which does not wait for Redis: it answers 503 until that is there."""
    text = text.replace("maxReplicas: 8", "maxReplicas: 4")  # within the quotas of the overlays
    text = re.sub(r" {6}initContainers:\n.*?(?= {6}containers:\n)", "", text, flags=re.DOTALL)
    text = text.replace("  - deployment.yaml\n", "  - deployment.yaml\n  - edges.yaml\n")
    text = text.replace("app.kubernetes.io/component: users", f"app.kubernetes.io/component: {name}")
    return text.replace("user-service", f"{singular(name)}-service").replace("3001", str(port))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
