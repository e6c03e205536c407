"""From paths to a rendering: files are read, folders rendered by kubectl, or read whole where they have no kustomization."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from gateway_site.manifests.objects import Manifest, Rendering
from gateway_site.manifests.violation import Violation

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
RENDER_SECONDS = 60


class UnreadableError(Exception):
    """The work cannot be done: no such path, no kubectl, or it refused to render."""


def read(paths: Iterable[Path]) -> tuple[Rendering, list[Violation]]:
    """The objects under all paths together, and what is no YAML. Raises UnreadableError."""
    manifests: list[Manifest] = []
    violations: list[Violation] = []
    for path in paths:
        for source, content in _contents(path):
            try:
                manifests.extend(_new(manifests, _parse(source, content)))
            except (yaml.YAMLError, ValueError) as error:
                where = " ".join(str(error).split())
                violations.append(
                    Violation(
                        source,
                        f"is no YAML that Kubernetes reads ({where})",
                        "kubectl refuses the whole file",
                        "mend its syntax",
                    )
                )
    return Rendering(manifests), violations


def _new(there: list[Manifest], read: Iterable[Manifest]) -> list[Manifest]:
    """Without what another file holds too, word by word: two renderings that are checked together share objects."""
    return [
        each for each in read if not any(each.data == other.data and each.source != other.source for other in there)
    ]


def _contents(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_file():
        yield str(path), _text(path)
    elif not path.is_dir():
        raise UnreadableError(f"{path} does not exist: name rendered YAML files or folders")
    elif any((path / name).is_file() for name in KUSTOMIZATIONS):
        yield str(path), render(path)
    else:
        files = sorted(file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"} and file.is_file())
        if not files:
            raise UnreadableError(f"{path} holds no YAML: name rendered YAML files or folders")
        for file in files:
            yield str(file), _text(file)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error


def render(folder: Path) -> str:
    """What `kubectl kustomize` makes of a folder. Raises UnreadableError with kubectl's reason."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UnreadableError(f"{folder} has to be rendered and there is no kubectl: install it, or give rendered YAML")
    try:
        done = subprocess.run(
            [kubectl, "kustomize", folder], capture_output=True, text=True, timeout=RENDER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(f"kubectl needed more than {RENDER_SECONDS} s to render {folder}") from error
    if done.returncode:
        raise UnreadableError(f"{folder} does not render: {' '.join(done.stderr.split())}")
    return done.stdout


def _parse(source: str, content: str) -> Iterator[Manifest]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with libyaml
    for document in yaml.load_all(content, Loader=loader):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ValueError("a document that is no mapping")
        if document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from (Manifest(item, source) for item in document["items"] if isinstance(item, dict))
        else:
            yield Manifest(document, source)
