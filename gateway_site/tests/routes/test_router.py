"""A new table replaces another: what it no longer has ends."""

import gc
import weakref

import pytest
from prometheus_client import REGISTRY

from gateway_site.forwarding.circuit import State
from gateway_site.forwarding.router import Router
from gateway_site.forwarding.service import Service
from gateway_site.guard.guard import Guard
from gateway_site.guard.limit import Take
from gateway_site.guard.limit_store import RedisStore
from gateway_site.routes.rate import Rate
from gateway_site.routes.table import Table
from gateway_site.tests.routes.conftest import Tables
from packages.http_pool import ConnectFailed

FIRST, OTHER = "/a=http://gone:1", "/a=http://gone:2"


def state_of_gone() -> float | None:
    return REGISTRY.get_sample_value("upstream_circuit_state", {"service": "gone"})


def fail(service: Service) -> None:
    """Opens its circuit."""
    for _ in range(20):
        service.circuit.failed(service.circuit.admit())


async def view(request: object) -> None:
    """Not asked."""


@pytest.mark.parametrize("later", ["/a=http://h", OTHER], ids=["removed", "replaced"])
async def test_the_circuit_of_an_upstream_that_is_gone_is_shown_no_more(tables: Tables, later: str) -> None:
    router = Router(tables.read(FIRST), lambda *_: view)
    fail(router.services["gone"])
    assert state_of_gone() == State.OPEN
    router.apply(tables.read(later))
    assert state_of_gone() == State.CLOSED
    await router.close()


async def test_a_replaced_upstream_opens_no_circuit_of_the_new_one_and_closes_with_the_router(tables: Tables) -> None:
    router = Router(tables.read(FIRST), lambda *_: view)
    gone = router.services["gone"]
    router.apply(tables.read(OTHER))
    fail(gone)
    assert state_of_gone() == State.CLOSED, "of requests that were in flight at the old one"
    fail(router.services["gone"])
    assert state_of_gone() == State.OPEN
    await router.close()
    with pytest.raises(ConnectFailed, match="the pool is closed"):
        await gone.probe()


async def test_limits_of_an_earlier_table_are_dropped(tables: Tables) -> None:
    made: dict[str, weakref.ref[Take]] = {}

    class Stores(RedisStore):
        def counter(self, rate: Rate, name: str) -> Take:
            store = super().counter(rate, name)
            made[f"{name} {rate.count}"] = weakref.ref(store)
            return store

    def limited(**rates: str) -> Table:
        route = '[[routes]]\nprefix = "/{}"\nupstream = "http://h"\nrate_limit = "{}"\n'
        return tables.read("".join(route.format(*each) for each in rates.items()))

    guard = Guard(None, Rate(9, 1, 1), scopes=set(), shared=Stores("redis://127.0.0.1:1"))
    router = Router(limited(a="1/s", b="2/s"), lambda route, _: guard.protect(route, view), guard.keep)
    assert list(made) == ["default 9", "/a 1", "/b 2"]
    router.apply(limited(a="3/s", b="2/s"))
    gc.collect()
    assert {name for name, store in made.items() if store() is None} == {"/a 1"}
    assert list(made)[3:] == ["/a 3"]
    await router.close()
    await guard.close()
