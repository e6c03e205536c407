"""`make new-service`: wrong names are refused, and what it writes passes the checks at once."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from common.config.environment import SettingError
from tests.programs import require
from tools.new_service.__main__ import UNDO, main
from tools.processes.service import free_port
from tools.run.__main__ import welcome
from tools.run.ports import read_ports
from tools.tests.conftest import Start


@pytest.mark.parametrize(
    "names",
    [[], ["orders", "x"], ["Orders"], ["order"], ["a_s"], ["a" * 20 + "s"], ["users"], ["class"], ["ids"], ["urls"]],
)
def test_wrong_name_is_refused_in_one_line(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(names) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "NAME=orders" in line


def run(clone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(
        (str(Path(sys.executable).parent), os.environ["PATH"])
    )  # the generator calls ruff by its name
    environment = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done


def test_its_port_is_checked_and_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_PORT", "USERS_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("ORDERS_PORT", str(taken.getsockname()[1]))
        with pytest.raises(SettingError, match=r"^port \d+ is in use: .* set ORDERS_PORT to another port$"):
            read_ports({"orders": 3002}, embedded=False)
    monkeypatch.setenv("ORDERS_PORT", str(free_port()))
    assert f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/api/orders" in welcome(
        ports := read_ports({"orders": 3002}, embedded=False), 1.0
    )
    assert ports.more == {"orders": int(os.environ["ORDERS_PORT"])}
    monkeypatch.setenv("ROUTES", "/api/stock=http://localhost:3009")
    assert "/api/orders" not in welcome(ports, 1.0), "ROUTES replaces its route"


@pytest.mark.parametrize("name", ["companies", "abcdefghijklmnopqrsts"[1:]])
def test_python_of_a_long_name_is_clean_after_formatting(clone: Path, name: str) -> None:
    run(clone, sys.executable, "-m", "tools.new_service", name)
    for command in (["check", "--fix-only"], ["format"], ["check"]):
        run(clone, sys.executable, "-m", "ruff", *command, "--quiet")


def test_service_is_written_once_and_the_next_has_another_port(clone: Path) -> None:
    for name in ("orders", "parcels"):
        run(clone, sys.executable, "-m", "tools.new_service", name)
    run(clone, sys.executable, "manage_orders.py", "check")  # builds the service
    ports = [
        (clone / f"{name}_site/settings.py").read_text().count(port)
        for name, port in (("orders", "3002"), ("parcels", "3003"))
    ]
    assert ports == [1, 1]
    compose = yaml.safe_load((clone / "deploy/compose.yaml").read_text())
    services = compose["services"]
    assert services["parcel-service"]["build"]["target"] == "parcels"
    assert services["parcel-service"]["depends_on"] == services["user-service"]["depends_on"]
    routes = "/api/orders=http://order-service:3002/orders,/api/parcels=http://parcel-service:3003/parcels"
    assert services["api-gateway"]["environment"]["ROUTES"] == routes
    assert '["parcel-service:3003"], labels: { service: parcel-service,' in compose["configs"]["prometheus"]["content"]
    names = run(clone, "deploy/bin/image_names.sh").stdout.split()
    assert names[:4] == ["gateway", "api-gateway", "users", "user-service"]
    assert names[4:] == ["orders", "order-service", "parcels", "parcel-service"]
    digests = (clone / "deploy/argocd/environments/prod/kustomization.yaml").read_text()
    assert re.findall(r"newName: \S+/(\S+)\n    digest: sha256:0{64}\n", digests)[1:] == [
        "user-service",
        "parcel-service",
        "order-service",
    ]
    again = subprocess.run(
        [sys.executable, "-m", "tools.new_service", "orders"], cwd=clone, capture_output=True, text=True, check=False
    )
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert UNDO.format("orders") in again.stderr
    build = "from orders_site.asgi import application; application()"
    run(clone, "env", "DEBUG=true", "REDIS_URL=redis://127.0.0.1:1", sys.executable, "-c", build)
    left = [path for path in (clone / "orders_site").rglob("*.py") if "widget" in path.read_text().lower()]
    assert left == []


CLIENT = """
import sys
from users_gateway_client import Client
from users_gateway_client.api.orders import create_order, list_orders
from users_gateway_client.api.users import list_users
from users_gateway_client.models import OrderRequest, Problem

client = Client(sys.argv[1], raise_on_unexpected_status=True)
order = create_order.sync(client=client, body=OrderRequest(name="Blue"))
assert order.id in [each.id for each in list_orders.sync(client=client).results]
assert len(list_users.sync(client=client).results) == 20
refused = create_order.sync(client=client, body=OrderRequest(name=""))
assert isinstance(refused, Problem), refused
assert refused.code == "validation-error", refused
"""


@pytest.mark.verify
@pytest.mark.timeout(900)
def test_new_service_passes_its_checks(clone: Path, start: Start) -> None:
    require("kubectl", "kubectl")
    (clone / ".venv").symlink_to(Path(sys.prefix))
    run(clone, "make", "new-service", "NAME=orders")
    check(clone)
    gateway = start(cwd=clone)
    gateway.wait_ready()
    url = f"http://127.0.0.1:{gateway.gateway}"
    generate = ("openapi_python_client", "generate", "--url", f"{url}/api/openapi.json", "--fail-on-warning")
    config = str(clone / "tools/clients/python/config.yaml")
    run(clone, sys.executable, "-m", *generate, "--config", config, "--output-path", "client")
    run(clone / "client", sys.executable, "-c", CLIENT, url)


def check(clone: Path) -> None:
    """What `make check` and `make verify` would say of the new service."""
    python = (sys.executable, "-m")
    run(clone, *python, "ruff", "check")
    run(clone, *python, "ruff", "format", "--check")
    run(clone, *python, "tools.lint.typecheck")
    run(clone, *python, "tools.lint.words")
    run(clone, sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-logo")
    pytest_ = (*python, "pytest", "-p", "no:randomly", "-n", "2", "--dist", "loadfile")
    run(clone, *pytest_, "--ds=orders_site.settings", "orders_site")
    rooms = (
        "deploy/tests/test_combinations.py",
        "deploy/tests/test_agreements.py",
        "deploy/tests/pipelines/test_workflows.py",
        "deploy/tests/monitoring/test_rules.py",
    )
    run(
        clone,
        *pytest_,
        "--ds=gateway_site.settings",
        *rooms,
        "tools/tests/test_reference.py",
        "tools/tests/test_docs.py",
    )
