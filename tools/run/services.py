"""The commands and environments of the two services: as in production, with required settings filled in."""

import http.client
import json
import os
import re
import secrets
import sys
from pathlib import Path

from common.config.environment import text

ROOT = Path(__file__).resolve().parents[2]
PROBE_SECONDS = 1


def further(root: Path = ROOT) -> dict[str, int]:
    """The services of `make new-service` (`orders` of manage_orders.py), with their ports."""
    names = sorted(path.stem.removeprefix("manage_") for path in root.glob("manage_*.py"))
    return {name: _port(root / f"{name}_site/settings.py") for name in names if name not in {"gateway", "users"}}


def singular(name: str) -> str:
    """`company` of companies, `address` of addresses, `order` of orders."""
    return re.sub("ie$", "y", re.sub("(?<=ss|ch|sh)e$|(?<=x)e$", "", name.removesuffix("s")))


def table(services: dict[str, int], folder: Path) -> str:
    """Writes the routes of these services, with their schemas; returns the path for ROUTES."""
    routes, upstreams = [], {}
    for name, port in services.items():
        service = f"{singular(name)}-service"
        upstreams[service] = {"url": f"http://127.0.0.1:{port}", "health": "/health/live"}
        routes.append(
            {"prefix": f"/api/{name}", "upstream": service, "schema": str(ROOT / f"docs/openapi/{name}.yaml")}
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "routes.yaml"
    path.write_text(json.dumps({"upstreams": upstreams, "routes": routes}, indent=1), encoding="utf-8")
    return str(path)


def _port(settings: Path) -> int:
    found = re.search(r'integer\("PORT", (\d+)', settings.read_text("utf-8"))
    return int(found[1]) if found else 0


def command(site: str) -> list[str]:
    """The command of the service's image."""
    return [sys.executable, "-m", f"{site}.server"]


def environment(site: str, port: int, **settings: str) -> dict[str, str]:
    defaults = {
        "DEBUG": "true",
        # Required with DEBUG=false, because a deployment must choose them; these are for this machine.
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "AUTH": "none",  # it listens on loopback only
    }
    missing = {name: value for name, value in defaults.items() if not text(name)}
    # A DJANGO_SETTINGS_MODULE of the shell would apply to both services.
    own = {"DJANGO_SETTINGS_MODULE": f"{site}.settings", "HOST": "127.0.0.1", "PORT": str(port)}
    return {**os.environ, **missing, **own, **settings}


def get(port: int, path: str) -> str:
    """The body of a 200, or nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == http.HTTPStatus.OK else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    return get(port, "/health/ready") != ""


def has_no_users(port: int) -> bool:
    """By the metric, which any Host may read."""
    return "\nusers_total 0.0\n" in get(port, "/metrics")
