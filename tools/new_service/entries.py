"""Adds a new service to existing files."""

import re
from collections.abc import Callable
from pathlib import Path

from tools.run.services import singular

KUSTOMIZE = Path("deploy/kustomize")
OVERLAYS = [KUSTOMIZE / f"overlays/{environment}/kustomization.yaml" for environment in ("dev", "staging", "prod")]
RULES = Path("deploy/monitoring/rules/targets.rules.yaml")
DIAGRAM = Path("docs/explanation/deployment.md")
QUOTAS = [KUSTOMIZE / f"overlays/{environment}/resource-quota.yaml" for environment in ("staging", "prod")]
NEEDED = {"requests.cpu": 1, "requests.memory": 1, "limits.cpu": 3, "limits.memory": 2, "pods": 5}
"""The quota of the service with all pods of its autoscaler and one surge pod: CPUs, GiB, pods."""

EXTERNAL = KUSTOMIZE / "components/external-secrets"
ENVIRONMENTS = [Path(f"deploy/argocd/environments/{name}/kustomization.yaml") for name in ("dev", "staging", "prod")]
WORKFLOWS = [Path(f".github/workflows/{name}.yaml") for name in ("ci", "images")]

Edit = Callable[[str], str]


def enter(root: Path, name: str, port: int) -> None:
    """Edits the files. Raises ValueError for a file that has changed too much for an entry."""
    service, site = f"{singular(name)}-service", f"{name}_site"
    edits: dict[Path, Edit] = {
        Path("pyproject.toml"): lambda text: project(text, name, site),
        Path("deploy/Dockerfile"): lambda text: dockerfile(text, name, service, port),
        Path("deploy/compose.yaml"): lambda text: composed(text, name, service, port),
        OVERLAYS[0]: lambda text: dev(text, name, service),
        EXTERNAL / "kustomization.yaml": lambda text: text.replace(
            "  - user-service-secrets.yaml\n", f"  - user-service-secrets.yaml\n  - {service}-secrets.yaml\n"
        ),
        RULES: lambda text: text.replace("api-gateway|user-service", f"api-gateway|user-service|{service}"),
        DIAGRAM: lambda text: drawn(text, name, service, port),
        EXTERNAL / "README.md": lambda text: doubled(text, service),
    }
    edits |= dict.fromkeys(OVERLAYS[1:], lambda text: doubled(text, service))
    edits |= dict.fromkeys(QUOTAS, roomier)
    edits |= dict.fromkeys(ENVIRONMENTS, lambda text: promotable(text, service))
    edits |= dict.fromkeys(WORKFLOWS, lambda text: re.sub(r"((?:site|target): \[[a-z, ]+)", rf"\1, {name}", text))
    secret = (root / EXTERNAL / "user-service-secrets.yaml").read_text("utf-8")
    (root / EXTERNAL / f"{service}-secrets.yaml").write_text(secret.replace("user-service", service), encoding="utf-8")
    for path, edit in edits.items():
        old = (root / path).read_text("utf-8")
        new = edit(old)
        if new == old:
            raise ValueError(f"{path} has no place for {service}: enter it by hand, as the user service is")
        (root / path).write_text(new, encoding="utf-8")


def again(text: str, pattern: str, *changes: tuple[str, str]) -> str:
    """Appends to each match of the pattern at the beginning of a line a copy with these changes."""

    def twice(found: re.Match[str]) -> str:
        copy = found[0]
        for old, new in changes:
            copy = re.sub(old, new, copy)
        return found[0] + copy

    return re.sub(pattern, twice, text, flags=re.MULTILINE)


def doubled(text: str, service: str) -> str:
    """Repeats each line about the user service's image or secret for this one."""
    return again(text, r"^.*(?:name: user-service, newName|/user-service-secrets`).*\n", ("user-service", service))


def promotable(text: str, service: str) -> str:
    """An environment with the service's image, not yet promoted."""
    never = ("sha256:.*", f"sha256:{0:064}")
    return again(text, r"^  - name: \S+/user-service\n.*\n    digest: .*\n", ("user-service", service), never)


def composed(text: str, name: str, service: str, port: int) -> str:
    """Repeats the user service's container and scrape target, and adds the gateway's route."""
    changes = [("user-service", service), ("3001", str(port)), ("target: users", f"target: {name}")]
    changes.append(("base/users", f"base/{name}"))
    text = again(text, r"^  user-service:\n(?:    .*\n)+\n|^.*user-service:3001.*\n", *changes)
    route = f"/api/{name}=http://{service}:{port}/{name}"
    if "      ROUTES: " in text:
        return re.sub(r"^      ROUTES: .*", lambda found: f"{found[0]},{route}", text, flags=re.MULTILINE)
    return text.replace("      AUTH: none\n", f"      AUTH: none\n      ROUTES: {route}\n")


def drawn(text: str, name: str, service: str, port: int) -> str:
    """The diagram with the service and its connections."""
    node = f'    {name}["{service} :{port}<br/>(component)"]\n'
    text = re.sub(r"^    backup\[.*\n", lambda found: found[0] + node, text, flags=re.MULTILINE)
    edge = "  gateway -.->|:6379| limit\n"
    return text.replace(edge, f"{edge}  gateway -.->|:{port}| {name} -.->|:6379| redis\n")


def roomier(text: str) -> str:
    """A quota with room for the service too."""
    for resource, more in NEEDED.items():
        line = rf'^( +{re.escape(resource)}: "?)(\d+)'
        found = re.search(line, text, re.MULTILINE)
        if found:
            text = f"{text[: found.start()]}{found[1]}{int(found[2]) + more}{text[found.end() :]}"
    return text


def dev(text: str, name: str, service: str) -> str:
    """Dev's overlay: image, secret, the image of this machine, no budget with one replica."""
    text = again(doubled(text, service), r"^  - name: user-service-secrets\n.*\n", ("user-service", service))
    patch = r"^  - path: deployment-users.yaml\n.*\n"
    text = again(text, patch, ("deployment-users", f"deployment-{name}"), ("user-service", service))
    return text.replace("name: api-gateway|user-service }", f"name: api-gateway|user-service|{service} }}")


def project(text: str, name: str, site: str) -> str:
    """pyproject.toml: types, coverage, import rules."""
    text = text.replace('"users_site", "gateway_site"', f'"users_site", "{site}", "gateway_site"')
    text = text.replace('"gateway_site", "users_site"', f'"gateway_site", "users_site", "{site}"')
    text = text.replace('"gateway_site | users_site"', f'"gateway_site | users_site | {site}"')
    text = text.replace('"users_site.repository", ', f'"users_site.repository", "{site}.repository", ')
    text = text.replace('"manage_users.py"]', f'"manage_users.py", "manage_{name}.py"]')
    return again(text, r'^"users_site\.settings"\.msg =.*\n', ("users_site", site))


def dockerfile(text: str, name: str, service: str, port: int) -> str:
    """A test stage and an image of its own."""
    site = f"{name}_site"
    text = text.replace("manage_gateway.py manage_users.py", f"manage_gateway.py manage_users.py manage_{name}.py", 1)
    text = text.replace("COPY users_site users_site\n", f"COPY users_site users_site\nCOPY {site} {site}\n")
    test = f"""FROM repository AS test-{name}
RUN python -m pytest --ds={site}.settings {site} && mkdir /passed

FROM test-users AS test
COPY --from=test-{name} /passed /passed
"""
    text = text.replace("FROM test-users AS test\n", test)
    image = text[text.index("FROM final AS users\n") :].partition("\n\nFROM ")[0].rstrip("\n")
    image = re.sub(r"^COPY .*users_contract.*\n", "", image, flags=re.MULTILINE).replace(
        "Users CRUD", f"{name.title()} CRUD"
    )
    for old, new in (("user-service", service), ("users", name), ("3001", str(port))):
        image = image.replace(old, new)
    return f"{text.rstrip()}\n\n{image}\n"
