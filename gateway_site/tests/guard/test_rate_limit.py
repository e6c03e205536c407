"""RATE_LIMIT: the rate of a client, the header fields, which requests count as one client, and bounded memory."""

import re
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from common.http.problem import Problem
from gateway_site.guard.limit import Limiter, LocalStore, client_of
from gateway_site.routes.rate import Rate, parse
from gateway_site.tests.guard.conftest import Keys, Start
from gateway_site.tests.guard.issuer import Issuer, token
from tests.in_process import request
from tests.log_lines import waited_for
from tests.recording import OK, Recording
from tests.serving import Served
from tests.wire import Answer, exchange, get
from tools.processes.store import store as running_store

FORWARDED = "X-Forwarded-For: {}"


@pytest.fixture(scope="module")
def limited(start: Start, running_issuer: Issuer, key_file: object):
    """Five at once, then one every hundred seconds; loopback is a trusted proxy."""
    settings = {**running_issuer.settings, "AUTH": "jwt,apikey", "AUTH_API_KEYS_FILE": str(key_file)}
    with start(**settings, RATE_LIMIT="36/h;burst=5", TRUSTED_PROXIES="127.0.0.1/32") as running:
        yield running


def ask(gateway: Served, *fields: str) -> Answer:
    return exchange(gateway.port, get("/api/users", *fields))


def test_answers_show_what_is_left_and_then_when_to_retry(limited: Served, upstream: Recording) -> None:
    credential = f"Authorization: Bearer {token(sub='counted')}"
    answers = [ask(limited, credential) for _ in range(7)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.values("ratelimit-policy") for answer in answers] == [['"default";q=5;w=500']] * 7
    shown = [re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.values("ratelimit")[0]).groups() for answer in answers]
    assert [left for left, _ in shown] == ["4", "3", "2", "1", "0", "0", "0"]
    assert [round(int(wait) / 100) for _, wait in shown] == [1, 2, 3, 4, 5, 5, 5]
    refusal = answers[-1]
    assert refusal.json()["code"] == "too-many-requests"
    assert 95 <= int(refusal.values("retry-after")[0]) <= 100
    assert upstream.received.qsize() == 5
    assert "rate_limited_requests_total" in requests.get(f"{limited.url}/metrics", timeout=5).text


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
ANSWERS = [
    (200, "GET", "reader", OK),
    (200, "GET", "reader", WHOLE + b"x" * 100_000),  # streamed
    (200, "HEAD", "reader", WHOLE),
    (204, "DELETE", "writer", b"HTTP/1.1 204 No Content\r\n\r\n"),
    (502, "GET", "reader", b"nonsense\r\n\r\n"),
    (502, "DELETE", "writer", b"nonsense\r\n\r\n"),
    (405, "CONNECT", "writer", OK),
    (401, "GET", None, OK),
    (401, "DELETE", None, OK),
    (403, "DELETE", "reader", OK),
]


@pytest.mark.parametrize("store", ["local", "redis"])
def test_every_answer_shows_the_limit_and_is_logged_with_the_clients_address(
    start: Start, upstream: Recording, keys: Keys, key_file: Path, tmp_path: Path, store: str
) -> None:
    """Of the user service, the view or the guard, to a read or an audited write."""
    settings = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(key_file), "RATE_LIMIT": "36/h;burst=100"}
    with running_store(tmp_path) as redis:
        settings["RATE_LIMIT_STORE"] = redis.url if store == "redis" else "local"
        with start(**settings, TRUSTED_PROXIES="127.0.0.1/32") as gateway:
            for number, (status, method, name, upstream.default) in enumerate(ANSWERS):
                fields = [f"X-API-Key: {keys[name][0]}"] if name else []
                fields += [FORWARDED.format("203.0.113.7"), f"X-Request-ID: shown-{store}-{number}"]
                answer = exchange(gateway.port, get("/api/users/1", *fields, method=method), method)
                shown = answer.status, len(answer.values("ratelimit")), len(answer.values("ratelimit-policy"))
                assert shown == (status, 1, 1), (method, name)
                logged = {"logger": "access", "request_id": f"shown-{store}-{number}"}.items()
                (line,) = waited_for(gateway, lambda line, logged=logged: logged <= line.items())
                assert (line["status_code"], line["remote_addr"]) == (status, "203.0.113.7")


def test_each_credential_has_its_own_limit_from_any_address(limited: Served, keys: Keys) -> None:
    for number in range(5):
        ask(limited, f"X-API-Key: {keys['reader'][0]}", FORWARDED.format(f"203.0.113.{number}"))
    assert ask(limited, f"X-API-Key: {keys['reader'][0]}", FORWARDED.format("203.0.113.99")).status == 429
    for other in (f"X-API-Key: {keys['writer'][0]}", f"Authorization: Bearer {token(sub='reader')}"):
        assert ask(limited, other, FORWARDED.format("203.0.113.1")).status == 200


def test_guessing_is_limited_by_address_and_harms_no_other_client(limited: Served) -> None:
    guesses = [ask(limited, f"X-API-Key: ugk_{number:012}_x", FORWARDED.format("198.51.100.7")) for number in range(7)]
    assert [guess.status for guess in guesses] == [401] * 5 + [429] * 2
    assert ask(limited, FORWARDED.format("198.51.100.8")).status == 401
    good = f"Authorization: Bearer {token(sub='same house')}"
    assert ask(limited, good, FORWARDED.format("198.51.100.7")).status == 200


@pytest.mark.parametrize(("trusted", "third"), [("127.0.0.1/32", 200), ("", 429)])
def test_without_auth_each_address_has_its_own_limit_if_a_trusted_proxy_names_it(
    start: Start, upstream: Recording, trusted: str, third: int
) -> None:
    with start(RATE_LIMIT="36/h;burst=2", TRUSTED_PROXIES=trusted) as gateway:
        answers = [ask(gateway, FORWARDED.format(f"203.0.113.{number}")).status for number in (1, 1, 2, 1)]
        assert exchange(gateway.port, get("/health")).status == 200
    assert answers == [200, 200, third, 429]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.9", "addr:203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "addr:2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "addr:2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "addr:203.0.113.9"),
        ("nonsense", "addr:unknown"),
        ("", "addr:unknown"),
    ],
)
def test_a_client_is_an_address_or_a_network_of_one_subscriber(address: str, client: str) -> None:
    assert client_of(address) == client


def test_ten_thousand_clients_fit_and_a_million_take_no_more() -> None:
    now = [1]
    known = LocalStore(Rate(1, 3600, 1), clock=lambda: now[0])
    for number in range(10_000):
        assert known.take_now(f"addr:{number}")[1] == 0
    assert all(known.take_now(f"addr:{number}")[1] > 0 for number in range(10_000)), "each is stored"
    for number in range(100_000):
        known.take_now(f"addr:other-{number}")
    assert len(known) == 20_000
    now[0] += int(7200e9)
    for number in range(15_000):
        known.take_now(f"addr:later-{number}")
    assert len(known) <= 15_000, "clients with a whole burst are evicted"


async def test_seconds_are_rounded_up() -> None:
    rate, asked = Rate(2, 3, 1), request()
    limiter = Limiter(rate, LocalStore(rate, clock=lambda: 1).take)
    await limiter.count(asked, "a")
    with pytest.raises(Problem) as refused:
        await limiter.count(asked, "a")
    assert refused.value.headers == [(b"retry-after", b"2")]
    assert refused.value.detail == "The limit is 2 requests in 3 s, 1 at once."
    assert [value for name, value in asked.answer_fields if name == b"ratelimit"] == [b'"default";r=0;t=2'] * 2


def test_the_least_recent_client_is_evicted() -> None:
    known = LocalStore(Rate(1, 3600, 1), max_clients=3, clock=lambda: 1)
    for client in "abc":
        assert known.take_now(client)[1] == 0
    assert known.take_now("a")[1] > 0, "now the most recent"
    assert known.take_now("d")[1] == 0
    assert [known.take_now(client)[1] > 0 for client in "acd"] == [True] * 3
    assert known.take_now("b")[1] == 0, "it was evicted"


RATES = st.builds(Rate, st.integers(1, 1000), st.sampled_from([1, 60, 3600]), st.integers(1, 50))
STEPS = st.lists(st.floats(0, 3), min_size=1, max_size=200)


@given(RATES, STEPS)
def test_no_window_lets_more_pass_than_burst_and_rate_allow(rate: Rate, steps: list[float]) -> None:
    now, passed = [10**9], []
    known = LocalStore(rate, clock=lambda: now[0])
    for step in steps:
        now[0] += int(step * rate.interval * 1e9)
        if known.take_now("a")[1] == 0:
            passed.append(now[0])
    for first, began in enumerate(passed):
        for last in range(first, len(passed)):
            allowed = rate.burst + (passed[last] - began) / (rate.interval * 1e9)
            assert last - first + 1 <= allowed + 1e-6 * len(steps)


@given(RATES, STEPS)
def test_a_client_that_waits_as_shown_passes(rate: Rate, steps: list[float]) -> None:
    now = [10**9]
    known = LocalStore(rate, clock=lambda: now[0])
    for step in steps:
        now[0] += int(step * rate.interval * 1e9 / 2)
        _, early = known.take_now("a")
        if early > 0:
            now[0] += early - 1
            assert known.take_now("a")[1] == 1
            now[0] += 1
            assert known.take_now("a")[1] == 0


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/s;burst=200", Rate(100, 1, 200)),
        ("100/s", Rate(100, 1, 100)),
        (" 5 / m ; burst = 7 ", Rate(5, 60, 7)),
        ("1/h", Rate(1, 3600, 1)),
        ("2/d", Rate(2, 86_400, 2)),
        ("1000000/s;burst=1000000", Rate(1_000_000, 1, 1_000_000)),
        ("none", None),
        ("", None),
    ],
)
def test_a_limit_is_parsed(text: str, rate: Rate | None) -> None:
    assert parse(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "100",
        "100/x",
        "0/s",
        "1.5/s",
        "100/s;burst=0",
        "1000001/s",
        "1/s;burst=1000001",
        "100/s,burst=2",
        "١/s",
    ],
)
def test_a_malformed_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
