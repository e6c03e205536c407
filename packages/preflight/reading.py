"""From paths to a rendering: files are read, folders rendered by kubectl, or read whole where they have no kustomization."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from packages.preflight.objects import Manifest, Rendering
from packages.preflight.violation import Violation

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
                manifests.extend(_new(manifests, _parse(source, content, violations)))
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
    elif _kustomization(path):
        yield str(path), render(path)
    else:
        found = list(_of_folder(path))
        if not found:
            raise UnreadableError(f"{path} holds no YAML: name rendered YAML files or folders")
        yield from found


def _kustomization(folder: Path) -> Path | None:
    return next((folder / name for name in KUSTOMIZATIONS if (folder / name).is_file()), None)


def _of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Its files; of the folders below it those that kustomize renders are rendered, components are parts of those."""
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and entry.suffix in {".yaml", ".yml"}:
            yield str(entry), _text(entry)
        elif entry.is_dir() and not entry.name.startswith("."):
            kustomization = _kustomization(entry)
            if kustomization is None:
                yield from _of_folder(entry)
            elif not re.search(r"^kind:\s*Component\b", _text(kustomization), re.MULTILINE):
                yield str(entry), render(entry)


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


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml's is ten times as fast
    """Remembers keys that a mapping has twice: YAML's readers take the last one, the API server refuses both."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[yaml.Node] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base class's."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value != "<<" and str(key.value) in seen:
                self.repeated.append(key)
            seen.add(str(key.value))
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made


def _parse(source: str, content: str, violations: list[Violation]) -> Iterator[Manifest]:
    loader = _Loader(content)
    while loader.check_data():
        document = loader.get_data()
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ValueError("a document that is no mapping")
        if document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from (Manifest(item, source) for item in document["items"] if isinstance(item, dict))
        else:
            yield Manifest(document, source)
    violations += [
        Violation(
            f"{source}:{key.start_mark.line + 1}",
            f"repeats the key {key.value!r} of its mapping",
            "the first one is lost, or the whole object refused",
            "write both under one key",
        )
        for key in loader.repeated
    ]
