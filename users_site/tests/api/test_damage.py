"""A damaged record over HTTP: a 500 that names it in the log, and the way out."""

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
