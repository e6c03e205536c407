"""Two services behind one gateway, on sockets: the user service's stand-in, and one that is not ours."""

from concurrent.futures import ThreadPoolExecutor
from posixpath import normpath
from urllib.parse import unquote

import pytest
import requests

from gateway_site.tests.routes.scripted import Scripted
from tests.log_lines import lines
from tests.recording import Recording
from tests.serving import Served, serving
from tests.wire import exchange, get

pytestmark = pytest.mark.slow

TABLE = """
[upstreams.orders]
url = "{upstream}"

[[routes]]
prefix = "/api/orders"
upstream = "orders"
paths = ["", "/{{id}}", "/*"]
max_body_bytes = 10

[[routes]]
prefix = "/shop"
upstream = "orders"
rewrite = "/"
methods = ["GET", "DELETE"]

[[routes]]
prefix = "/hasty"
upstream = "user-service"
timeout_ms = 200
"""
SECONDS = 10


def test_each_prefix_goes_to_its_service_with_its_rewrite(
    gateway: Served, users: Recording, upstream: Scripted
) -> None:
    for target, forwarded, prefix in (
        ("/api/orders", "/orders", "/api"),
        ("/api/orders/7?x=%2F&y", "/orders/7?x=%2F&y", "/api"),
        ("/api/orders/a/b%20c/", "/orders/a/b%20c/", "/api"),
        ("/shop", "/", "/shop"),
        ("/shop/cart", "/cart", "/shop"),
    ):
        answer = exchange(gateway.port, get(target, "X-Forwarded-Prefix: /forged"))
        seen = upstream.seen()[-1]
        assert (answer.status, seen["target"], seen["fields"]["x-forwarded-prefix"]) == (200, forwarded, prefix)
        assert answer.values("x-request-id") == [seen["fields"]["x-request-id"]]
    assert exchange(gateway.port, get("/api/users/1")).status == 200
    assert users.next().line == b"GET /users/1 HTTP/1.1"
    assert users.received.empty()


HOSTILE = [
    "/../x", "/.%2e/x", "/..;a=b/x", "/..%3b/x", "/..%2fx", "/..%20/x", "/..%09/x", "/.%00./x", "//x", "/%2f/x", "/x/../../y",
    "/;/../../y", "/x/%2E%2E", "/@evil.example/x", "/http:x", "/%0d%0aHost:%20evil", "?x=/../../y", "#/../../y", "/...", "/;..",
    "/%", "/%zz", "/{id}", "/%c0%ae%c0%ae/x", "/x;..", ":80/x", "%2f..", "/a%5cb", "/%00",
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "rewrite"), [("/api/orders", "/orders"), ("/shop", "")])
def test_a_hostile_target_stays_below_its_prefix_at_the_service(
    gateway: Served, upstream: Scripted, prefix: str, rewrite: str
) -> None:
    overrides = ("X-Original-URL: /admin", "X_Rewrite_URL: /admin", "X-HTTP-Method-Override: DELETE")
    targets = ["/sho%70", *(prefix + suffix for suffix in HOSTILE)]
    answers = [exchange(gateway.port, get(target, *overrides)) for target in targets]
    for seen in upstream.seen():
        path = seen["target"].partition("?")[0]
        assert not path.startswith("//")
        assert f"{normpath(unquote(path))}/".startswith(f"{rewrite}/")
        assert not {name for name in seen["fields"] if "original" in name or "rewrite" in name or "override" in name}
    refused = [answer.json() for answer in answers if answer.status != 200]
    assert {(problem["status"], problem["code"]) for problem in refused} == {(404, "not-found")}
    assert len(answers) - len(refused) == len(upstream.seen()) == 11


def test_a_route_has_its_methods_and_its_size_of_body(gateway: Served, upstream: Scripted) -> None:
    refused = requests.post(f"{gateway.url}/shop", data="x", timeout=SECONDS)
    assert (refused.json()["code"], refused.headers["allow"]) == ("method-not-allowed", "DELETE, GET, HEAD")
    assert requests.post(f"{gateway.url}/api/orders", data="x" * 10, timeout=SECONDS).status_code == 200
    assert [(seen["method"], seen["body"]) for seen in upstream.seen()] == [("POST", "x" * 10)]
    assert requests.post(f"{gateway.url}/api/orders", data="x" * 11, timeout=SECONDS).json()["code"] == "body-too-large"
    assert requests.post(f"{gateway.url}/api/users", data="x" * 11, timeout=SECONDS).status_code == 200


def test_a_route_has_its_time(gateway: Served, users: Recording) -> None:
    users.freeze()
    late = requests.get(f"{gateway.url}/hasty", timeout=SECONDS)
    assert (late.status_code, late.json()["code"]) == (504, "upstream-timeout")
    assert late.elapsed.total_seconds() < 1.8, "2 s is the time of the others"


def test_metrics_and_the_log_name_the_service_and_the_route(gateway: Served, upstream: Scripted) -> None:
    upstream.plan("{}", 404)
    for target in ("/api/orders/1", "/api/orders/1/2/3", "/shop/missing"):
        requests.get(gateway.url + target, timeout=SECONDS)
    text = requests.get(f"{gateway.url}/metrics", timeout=SECONDS).text
    assert 'upstream_request_duration_seconds_count{method="GET",service="orders",status_code="404"}' in text
    assert 'upstream_circuit_state{service="orders"} 0.0' in text
    lines = gateway.log.read_text()
    for route in ("/api/orders/{id}", "/api/orders/{path}", "/shop/{path}"):
        assert f'"route":"{route}"' in lines


def test_a_route_whose_prefix_begins_as_a_probe_is_no_probe(users: Recording) -> None:
    with serving("gateway_site", ROUTES=f"/healthcare={users.url}", USER_SERVICE_URL=users.url) as gateway:
        assert exchange(gateway.port, get("/healthcare/1")).status == 200
        elsewhere = get("/healthcare/1").replace(b"Host: 127.0.0.1", b"Host: evil.example")
        assert exchange(gateway.port, elsewhere).status == 400
    assert [line["level"] for line in lines(gateway) if line.get("route") == "/healthcare/{path}"] == ["info"]


def test_the_gateway_is_ready_while_one_of_its_services_is(gateway: Served, users: Recording) -> None:
    def ready() -> tuple[int, dict[str, str]]:
        answer = requests.get(f"{gateway.url}/health/ready", timeout=SECONDS)
        return answer.status_code, answer.json()["dependencies"]

    assert ready() == (200, {"orders": "up", "user-service": "up"})
    users.freeze()
    assert ready() == (200, {"orders": "up", "user-service": "down"})


def test_a_sick_service_costs_the_other_nothing(gateway: Served, users: Recording) -> None:
    """The users' circuit opens and their connections hang; every order is answered meanwhile, by its own connections."""
    users.freeze()
    with ThreadPoolExecutor(35) as pool:
        hanging = [pool.submit(requests.get, f"{gateway.url}/api/users", timeout=SECONDS) for _ in range(30)]
        orders = list(pool.map(lambda n: requests.get(f"{gateway.url}/api/orders/{n}", timeout=SECONDS), range(60)))
        assert {answer.status_code for answer in orders} == {200}
        assert {future.result().status_code for future in hanging} <= {503, 504}
    refused = requests.get(f"{gateway.url}/api/users", timeout=SECONDS)
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream-unavailable")
    text = requests.get(f"{gateway.url}/metrics", timeout=SECONDS).text
    assert 'upstream_circuit_state{service="user-service"} 2.0' in text
    assert 'upstream_circuit_state{service="orders"} 0.0' in text


def test_problems_of_another_service_name_neither_it_nor_its_host(users: Recording) -> None:
    users.default = b"nonsense\r\n\r\n"
    with serving("gateway_site", ROUTES=f"/a={users.url}/x,/b=http://127.0.0.1:1/x") as running:
        broken, refused = (exchange(running.port, get(path)).json() for path in ("/a", "/b/c"))
    assert (broken["code"], broken["detail"]) == ("bad-upstream", "The service's answer was broken.")
    assert (refused["code"], refused["detail"]) == ("bad-upstream", "The service accepts no connection.")
    assert refused["instance"] == "/b/c"
