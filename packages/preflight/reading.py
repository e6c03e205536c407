"""Makes a rendering from paths: reads files; renders a folder by kubectl if it has a kustomization, otherwise reads all
its files."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml

from packages.preflight.objects import Manifest, text, texts
from packages.preflight.registry import Finding
from packages.preflight.rendering import Rendering
from packages.preflight.services import Service

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
RENDER_SECONDS = 60
MOST_DEPTH, MOST_NODES = 100, 10_000_000


class UnreadableError(Exception):
    """No such path, no kubectl, or a rendering that fails."""


def read(paths: Iterable[Path], services: Iterable[Service] = ()) -> tuple[Rendering, list[Finding]]:
    """The objects under all paths together, and the documents that are not YAML. Raises UnreadableError."""
    there: dict[tuple[str, ...], Manifest] = {}
    manifests: list[Manifest] = []
    findings: list[Finding] = []
    for source, content in (each for path in paths for each in _contents(path)):
        try:
            found = list(_parse(source, content, findings))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            what = f"is no YAML that Kubernetes reads ({' '.join(str(error).split())})"
            findings.append(Finding(source, what, "kubectl refuses the whole file", "correct its syntax", "M001"))
            continue
        for each in found:
            # The same object in two files is not a conflict: renderings may share objects.
            first = there.setdefault((each.api_version, each.kind, each.namespace, each.name), each)
            if first is each or first.source == source or first.data != each.data:
                manifests.append(each)
    if not manifests and not findings:
        raise UnreadableError("found no object: name rendered YAML files or folders")
    return Rendering(manifests, services), findings


def _contents(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_file():
        yield str(path), _text(path)
    elif not path.is_dir():
        raise UnreadableError(f"{path} does not exist: name rendered YAML files or folders")
    elif any((path / name).is_file() for name in KUSTOMIZATIONS):
        yield str(path), render(path)
    else:
        found = list(_of_folder(path))
        if not found:
            raise UnreadableError(f"{path} holds no YAML: name rendered YAML files or folders")
        yield from found


def _of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Reads files and renders kustomizations, except components and those that another one here includes."""
    below = {file.parent.resolve(): _kustomized(file) for name in KUSTOMIZATIONS for file in folder.rglob(name)}
    parts = {(home / part).resolve() for home, found in below.items() for part in found["parts"]}
    for file in sorted(folder.rglob("*")):
        home = file.parent.resolve()
        if any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue
        if file.name in KUSTOMIZATIONS and home not in parts and below[home]["kind"] != "Component":
            yield str(file.parent), render(file.parent)
        elif file.is_file() and file.suffix in {".yaml", ".yml"} and not set(below) & {home, *home.parents}:
            yield str(file), _text(file)


def _kustomized(file: Path) -> dict[str, Any]:
    """The kind of a kustomization, and the folders that it includes."""
    try:
        data = yaml.safe_load(_text(file))
    except yaml.YAMLError:
        data = {}  # kubectl reports it
    parts = [part for key in ("resources", "bases", "components") for part in texts(data, key)]
    return {"kind": text(data, "kind"), "parts": parts}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error


def render(folder: Path) -> str:
    """The output of `kubectl kustomize`. Raises UnreadableError with kubectl's reason."""
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


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast
_YAML_1_1 = {f"tag:yaml.org,2002:{name}" for name in ("float", "int", "timestamp", "value")}


class _Loader(_Base):  # type: ignore[misc] # chosen above
    """Reads scalars as kubectl's go-yaml does, and records duplicate keys."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in found if tag not in _YAML_1_1]
        for first, found in _Base.yaml_implicit_resolvers.items()
    }
    bool_values: ClassVar = {**_Base.bool_values, "y": True, "n": False}

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[yaml.Node] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value != "<<" and str(key.value) in seen:
                self.repeated.append(key)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        digits = re.sub(r"^([-+]?)0([0-7]+)$", r"\g<1>0o\2", node.value.replace("_", ""))
        return int(digits, 0) if len(digits) < 100 else float(digits)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(0|[1-9][0-9_]*|0o?[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+.0123456789"),
)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)


def _check_size(content: str) -> None:
    """Raises ValueError for nesting that crashes libyaml's composer, and for aliases that expand beyond all memory."""
    sizes, anchors, open_anchors = [0], {}, []
    for event in yaml.parse(content, Loader=_Base):
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            open_anchors.append(event.anchor)
            anchors[event.anchor] = MOST_NODES + 1  # what contains itself has no end
        elif isinstance(event, yaml.CollectionEndEvent):
            anchors[open_anchors.pop()] = size = sizes.pop()
            sizes[-1] += size
        elif isinstance(event, yaml.AliasEvent):
            sizes[-1] += anchors.get(event.anchor, 1)
        else:
            anchors[getattr(event, "anchor", None)] = 1
            sizes[-1] += 1
        if len(sizes) > MOST_DEPTH or sizes[-1] > MOST_NODES:
            raise ValueError(f"nested more than {MOST_DEPTH} deep, or of more than {MOST_NODES} nodes")


def _parse(source: str, content: str, findings: list[Finding]) -> Iterator[Manifest]:
    _check_size(content)
    loader = _Loader(content)
    while loader.check_data():
        document = loader.get_data()
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ValueError("a document that is no mapping")
        kind, entries = str(document.get("kind")), document.get("items")
        if kind.endswith("List") and isinstance(entries, list):
            implied = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")}
            yield from (Manifest({**implied, **each}, source) for each in entries if isinstance(each, dict))
        else:
            yield Manifest(document, source)
    findings += [
        Finding(
            f"{source}:{key.start_mark.line + 1}",
            f"repeats the key {key.value!r} of its mapping",
            "one of the two values is lost, or the whole object refused",
            "write both under one key",
            "M002",
        )
        for key in loader.repeated
    ]
