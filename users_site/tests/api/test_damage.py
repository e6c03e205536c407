"""A damaged record over HTTP: a 500 that names it in the log, and the way out."""

import requests

from tools.processes.store import Store
from users_site.tests.api.client import Users, fresh_email, problem
from users_site.tests.repository.people import PARTITION


def test_broken_record_is_500_until_it_is_replaced_or_deleted(alone: Users, own_store: Store) -> None:
    good, bad = alone.created(), alone.created()
    with own_store.client() as client:
        client.set(PARTITION.record(bad["id"]), "{bad")
    problem(alone.get(bad["id"]), 500, "internal-error")
    problem(alone.patch(bad["id"], {"name": "Grace"}), 500, "internal-error")
    assert alone.list().json()["results"] == [good]
    replaced = alone.put(bad["id"], {"name": "Grace", "email": fresh_email()})
    assert replaced.status_code == 200
    assert alone.get(bad["id"]).json() == replaced.json()
    with own_store.client() as client:
        client.set(PARTITION.record(bad["id"]), "{bad")
    assert alone.delete(bad["id"]).status_code == 204
    assert alone.get(bad["id"]).status_code == 404


def test_index_entries_that_are_no_ids_stop_no_walk(alone: Users, own_store: Store) -> None:
    made = [alone.created()["id"] for _ in range(4)][::-1]
    strays = {f"{made[1]}x": 0, f"{made[2]}x": 0, "0": 0, b"\xff": 0}
    with own_store.client() as client:
        client.zadd(PARTITION.index, strays)
    for limit in (1, 2):
        page, seen, back = alone.list(limit=limit).json(), [], ""
        while page["results"] or page["next"]:
            seen += [user["id"] for user in page["results"]]
            back = page["previous"]
            page = requests.get(page["next"], timeout=5).json() if page["next"] else {"results": [], "next": None}
        assert seen == made
        assert requests.get(back, timeout=5).json()["results"][-1]["id"] == made[-1 - limit]
