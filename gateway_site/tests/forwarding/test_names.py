"""Names of upstreams are looked up when a table comes into force."""

import asyncio
from pathlib import Path

import pytest

from gateway_site.forwarding.names import look_up
from gateway_site.routes.table import Upstream
from tests.log_lines import waited_for
from tests.serving import logged, serving


@pytest.mark.slow
def test_a_name_that_nobody_has_is_a_warning_at_the_start_and_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    table = '[[routes]]\nprefix = "/{0}"\nupstream = "http://{0}.invalid"\n'
    path.write_text(table.format("orders"))
    with serving("gateway_site", ROUTES=str(path), USER_SERVICE_URL="http://127.0.0.1:1") as running:
        for name in ("orders", "parcels"):
            (warning,) = waited_for(running, lambda line, name=name: line.get("upstream") == f"{name}.invalid")
            assert warning["level"] == "warning"
            assert warning["reason"].startswith(f"{name}.invalid does not resolve (")
            path.write_text(table.format("parcels"))


def test_a_name_that_means_this_machine_is_a_warning_and_its_own_spelling_is_not() -> None:
    meant, named = Upstream("meant", "http://localhost"), Upstream("named", "http://127.1")  # resolvers take it
    given = Upstream("given", "http://127.1", addresses=("10.0.0.1",))
    with logged() as found:
        asyncio.run(look_up([meant, named, given]))
    assert [(line["upstream"], line["reason"]) for line in found] == [
        ("named", "127.1 resolves to this machine: requests stay in the gateway's own container")
    ]
