"""A name with several addresses: which one gets a request, and what happens to one that fails."""

import asyncio
from contextvars import ContextVar
from ipaddress import ip_network

import pytest

from packages.http_pool import ConnectFailed, ConnectionReset

from .hostile import OK, Hostile, Peer, ask, eventually, forever, get, get_until, once

pytestmark = pytest.mark.slow

REQUEST = ContextVar("request", default="none")
NAMES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
UNAVAILABLE = OK.replace(b"200 OK", b"503 No")


@pytest.fixture
def three(hostile, resolver):
    """Starts three servers of one name, the first with a script of its own; installs their addresses."""

    async def start(first=None, others=None) -> list[Hostile]:
        others = others or forever()
        servers = [await hostile(first or others, host=NAMES[0], name="users")]
        port = int(servers[0].url.rpartition(":")[2])
        servers += [await hostile(others, host=host, port=port, name="users") for host in NAMES[1:]]
        resolver(*NAMES)
        return servers

    return start


async def test_requests_are_spread_and_each_answer_names_its_address(client, three):
    servers = await three()
    upstream = client(servers[0])
    answers = [await get(upstream) for _ in range(60)]
    assert {answer.address for answer in answers} == set(NAMES)
    assert [len(server.seen) for server in servers] == [
        sum(answer.address == name for answer in answers) for name in NAMES
    ]
    assert upstream.addresses == (3, 3)


async def test_the_less_busy_of_two_gets_the_request(client, three):
    async def slow(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.5)
        await peer.send(OK)

    servers = await three(slow)
    upstream = client(servers[0])

    async def caller() -> None:
        for _ in range(10):
            await get(upstream)
            await asyncio.sleep(0.01)

    await asyncio.gather(*[caller() for _ in range(9)])
    assert len(servers[0].seen) < 20, "30 by chance alone"


async def test_a_single_address_is_never_ejected_and_not_named(hostile, client, changes):
    upstream = client(await hostile(once(resets=True)))
    for _ in range(5):
        with pytest.raises(ConnectionReset) as caught:
            await get(upstream)
        assert caught.value.address == ""
    assert (changes, upstream.addresses) == ([], (1, 1))


async def test_a_refusing_address_costs_no_request_not_even_a_post(client, three, changes, monkeypatch):
    monkeypatch.setattr("packages.http_pool._members.EJECT_AFTER", 1000)  # a refusal ejects at once
    servers = await three()
    await servers[0].stop()
    upstream = client(servers[1])
    for _ in range(20):
        assert (await ask(upstream, "POST", body=b"x")).status == 200
    assert (changes, upstream.addresses) == ([(NAMES[0], "refused")], (3, 2))


async def test_a_check_belongs_to_no_request(client, three):
    """What `changed` logs must not carry the ID of the request that it happened beside."""

    async def script(peer: Peer) -> None:
        while b"/live" not in (await peer.request()).line:
            await peer.send(OK)
        peer.reset()

    servers, seen = await three(script), []
    upstream = client(
        servers[0], check=b"/live", check_interval=0.02, changed=lambda *change: seen.append((change, REQUEST.get()))
    )
    REQUEST.set("a request")
    await get_until(upstream, lambda: bool(seen))
    assert seen == [((NAMES[0], "check"), "none")]


async def test_three_failures_in_sequence_eject_and_a_check_brings_it_back(client, three, monkeypatch, changes):
    monkeypatch.setattr("packages.http_pool._members.EJECTED_SECONDS", 0.2)
    sick = True

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            if sick:
                peer.reset()
            else:
                await peer.send(OK)

    servers = await three(script)
    upstream = client(servers[0], check=b"/live", check_interval=0.05)
    failures = 0
    for _ in range(60):
        try:
            await get(upstream)
        except ConnectionReset as error:
            assert error.address == NAMES[0]
            failures += 1
    assert failures <= 3
    assert [change[0] for change in changes] == [NAMES[0]]
    sick = False
    await get_until(upstream, lambda: upstream.addresses == (3, 3))
    assert changes[-1] == (NAMES[0], "")
    assert b"GET /live HTTP/1.1" in [seen.line for seen in servers[0].seen]


async def test_an_address_that_answers_checks_badly_is_ejected_without_a_request(client, three):
    servers = await three(forever(UNAVAILABLE))
    upstream = client(servers[0], check_interval=0.05)
    await get(upstream)
    await get_until(upstream, lambda: upstream.addresses == (3, 2), b"/x")
    before = len(servers[0].seen)
    assert [(await get(upstream)).status for _ in range(20)] == [200] * 20
    assert [seen.line for seen in servers[0].seen[before:]].count(b"GET /x HTTP/1.1") == 0


async def test_a_get_at_a_hung_address_ends_while_another_has_time_for_it(client, three, changes):
    servers = await three(once())
    upstream = client(servers[0], check_interval=600)
    with pytest.raises(ConnectionReset, match="it answers no check either") as caught:
        await ask(upstream, "GET", timeout=4, avoided=NAMES[1:])
    assert (caught.value.address, caught.value.sent) == (NAMES[0], True)
    assert changes == [(NAMES[0], "check")]


async def test_a_slow_get_at_an_address_that_answers_checks_has_all_its_time(client, three):
    async def slow(peer: Peer) -> None:
        while True:
            if b"/slow" in (await peer.request()).line:
                await asyncio.sleep(0.8)
            await peer.send(OK)

    servers = await three(slow)
    upstream = client(servers[0], check_interval=600)
    answer = await ask(upstream, "GET", target=b"/slow", timeout=1.2, avoided=NAMES[1:])
    assert (answer.status, answer.address, upstream.addresses) == (200, NAMES[0], (3, 3))
    assert len(servers[0].seen) == 2, "the request and the check"


async def test_avoided_addresses_are_used_only_if_there_is_no_other(client, three):
    servers = await three()
    upstream = client(servers[0])
    for _ in range(20):
        answer = await ask(upstream, "GET", avoided=NAMES[:2])
        assert answer.address == NAMES[2]
    assert (await ask(upstream, "GET", avoided=NAMES)).status == 200


async def test_errors_of_one_address_eject_it_but_not_those_of_all(client, three):
    async def unwell(peer: Peer) -> None:
        while True:
            seen = await peer.request()
            is_first = peer.writer.get_extra_info("sockname")[0] == NAMES[0]
            await peer.send(UNAVAILABLE if is_first or b"/all" in seen.line else OK)

    servers = await three(others=unwell)
    upstream = client(servers[0], check_interval=600)
    for _ in range(60):
        await get(upstream, b"/all")
    assert upstream.addresses == (3, 3)
    statuses = [(await get(upstream)).status for _ in range(60)]
    assert (upstream.addresses, upstream.is_out(NAMES[0]), upstream.is_out(NAMES[1])) == ((3, 2), True, False)
    assert statuses[statuses.index(200) :].count(503) <= 1, "another one answers well"


async def test_with_all_ejected_all_are_used(client, three):
    async def script(peer: Peer) -> None:
        while b"/dead" not in (await peer.request()).line:
            await peer.send(OK)
        peer.reset()

    servers = await three(others=script)
    upstream = client(servers[0], check_interval=600)
    while upstream.addresses != (3, 0):
        with pytest.raises(ConnectionReset):
            await get(upstream, b"/dead")
    assert not upstream.is_out(NAMES[0])
    assert {(await get(upstream)).address for _ in range(40)} == set(NAMES)


async def test_new_addresses_of_the_name_are_used_and_others_no_longer(client, three, resolver):
    servers = await three()
    resolver(NAMES[0])
    upstream = client(servers[0], check_interval=0.05)
    await get(upstream)
    resolver(NAMES[1])
    await get_until(upstream, lambda: bool(servers[1].seen))
    before = len(servers[0].seen)
    for _ in range(10):
        await get(upstream)
    assert len(servers[0].seen) == before
    await eventually(lambda: upstream.stats.open == 1)


async def test_while_the_name_has_no_address_the_known_ones_are_kept_and_checked(client, three, resolver):
    servers = await three()
    upstream = client(servers[0], check_interval=0.02)
    await get(upstream)
    resolver()
    await servers[0].stop()
    async with asyncio.timeout(5):
        while upstream.addresses != (3, 2):
            await ask(upstream, "GET", avoided=NAMES[:1])


async def test_a_name_whose_only_address_refuses_is_resolved_again_at_once(client, three, resolver):
    servers = await three()
    resolver("127.0.0.4")
    upstream = client(servers[0], check_interval=600)
    with pytest.raises(ConnectFailed):
        await get(upstream)
    resolver(NAMES[1])
    assert (await get(upstream)).status == 200


async def test_addresses_of_the_own_zone_are_preferred_while_one_is_up(client, three):
    servers = await three()
    own, other = ip_network("127.0.0.1/32"), ip_network("127.0.0.2/31")
    upstream = client(servers[0], zones=[other, own], check_interval=600)
    assert {(await get(upstream)).address for _ in range(20)} == {NAMES[0]}
    await servers[0].stop()
    await eventually(lambda: upstream.stats.open == 0)
    assert {(await get(upstream)).address for _ in range(20)} == set(NAMES[1:])


async def test_in_no_zone_all_addresses_are_equal(client, three):
    upstream = client((await three())[0], zones=[ip_network("127.0.0.2/31")])
    assert {(await get(upstream)).address for _ in range(30)} == set(NAMES)


async def test_given_addresses_replace_those_of_the_name(client, three, resolver):
    servers = await three()
    resolver("127.0.0.4")
    upstream = client(servers[0], addresses=NAMES[1:])
    assert {(await get(upstream)).address for _ in range(20)} == set(NAMES[1:])
    assert servers[1].seen[0].values(b"host") == [servers[0].url.removeprefix("http://").encode()]
