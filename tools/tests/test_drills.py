"""The drills' own parts (a ledger that finds what was lost, a relay with faults, a report) and one whole drill."""

import asyncio
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from tools.drills import __main__ as command
from tools.drills import report
from tools.drills.catalogue import DRILLS, says
from tools.drills.http_client import Answer, Broken, Client
from tools.drills.ledger import Entry, Event, Ledger
from tools.drills.namespace import is_allowed, namespace
from tools.drills.outcome import Outcome
from tools.drills.relay import Relay
from tools.drills.scenarios import stores
from tools.drills.stage import Stage
from tools.processes.service import free_port

CREATED, GONE = Answer(201, {}, b""), Answer(204, {}, b"")
REFUSED = Answer(
    503, {}, b'{"code":"upstream-unavailable","detail":"The user service fails and is not asked for a moment."}'
)
UNCERTAIN = Answer(503, {}, b'{"code":"store-unavailable","detail":"The change may have been made."}')


async def page(names: list[str]) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        users = ",".join(f'{{"name":"{name}"}}' for name in names)
        body = f'{{"next":null,"results":[{users}]}}'
        writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def test_the_ledger_finds_what_was_lost_doubled_and_made_though_refused() -> None:
    ledger = Ledger()
    tags = ("kept", "lost", "deleted", "undead", "unsure", "doubled", "ghost", "stale")
    ledger.entries = {tag: Entry(tag) for tag in tags}
    kept, lost, deleted, undead, unsure, doubled, ghost, stale = ledger.entries.values()
    for entry in (kept, lost, deleted, undead, doubled, stale):
        ledger.wrote(entry, entry.tag, CREATED)
        entry.user_id = entry.tag
    ledger.wrote(deleted, None, GONE)
    ledger.wrote(undead, None, GONE)
    ledger.wrote(unsure, "unsure", UNCERTAIN)
    ledger.wrote(ghost, "ghost", REFUSED)
    ledger.wrote(kept, "kept 2", None)  # broken off: either will do
    ledger.wrote(lost, None, Answer(404, {}, b""))  # changes nothing
    ledger.wrote(stale, "stale 2", Answer(200, {}, b""))
    server = await page(["kept", "undead", "doubled", "doubled", "ghost", "stale"])
    async with server:
        verdict = await ledger.verify(port_of(server))
    assert sorted(verdict.lost) == ["lost", "stale", "undead"]
    assert sorted(verdict.doubled) == ["doubled", "ghost"]


@pytest.mark.parametrize(
    ("answer", "uncertain"),
    [(REFUSED, False), (UNCERTAIN, True), (Answer(502, {}, b""), True), (Answer(409, {}, b""), False)],
)
def test_only_some_refusals_leave_a_write_uncertain(answer: Answer, uncertain: bool) -> None:
    assert answer.is_uncertain is uncertain


async def test_the_relay_cuts_delays_resets_and_recovers() -> None:
    async with await page([]) as server, Relay(port_of(server)) as relay:
        client = Client(relay.port)
        assert (await client.ask("GET", "/")).status == 200
        relay.inject(latency=0.2)
        started = monotonic()
        assert (await client.ask("GET", "/")).status == 200
        assert monotonic() - started >= 0.4
        relay.inject(reset_share=1.0)
        with pytest.raises(Broken):
            await client.ask("GET", "/")
        relay.inject(is_cut=True)
        asking = asyncio.create_task(client.ask("GET", "/"))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        assert not done
        relay.heal()
        assert (await asking).status == 200


def test_an_outcome_measures_outages_and_a_missed_bound_fails_it() -> None:
    ledger = Ledger()
    ledger.events = [Event(at, 0.1, method, status) for at, method, status in SEEN]
    outcome = Outcome("a drill", ledger)
    assert (outcome.bad, outcome.bad_reads) == (2, 1)
    assert outcome.outage() == pytest.approx(3.0)
    assert outcome.outage(writes_only=True) == pytest.approx(4.0)
    assert outcome.seconds_until_good(2.0) == pytest.approx(2.0)
    assert outcome.seconds_until_good(2.0, writes_only=True) == pytest.approx(3.0)
    ledger.events.append(Event(11.0, 0.1, "PUT", 503))
    assert outcome.outage() == pytest.approx(6.0), "an outage that lasts to the end is one"
    ledger.events.pop()
    outcome.require("bad GETs", outcome.bad_reads, 1)
    outcome.require("bad answers", outcome.bad, 1)
    assert [bound.is_met for bound in outcome.bounds] == [True, False]
    assert not outcome.is_passed
    assert "MISSED bad answers 2 > 1" in report.table([outcome])
    assert "1x GET 503" in report.causes(outcome)


SEEN = [
    (1.0, "POST", 201),
    (1.0, "GET", 200),
    (2.0, "GET", 503),
    (3.0, "PUT", 0),
    (4.0, "GET", 200),
    (5.0, "POST", 201),
]


async def broken(on: Stage) -> None:
    (on.folder / "valkey.log").write_text("what happened")
    raise RuntimeError("no store")


def test_a_drill_that_breaks_off_is_a_missed_one_and_its_logs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "REPORTS", tmp_path)
    [outcome] = command.run("broken", broken)
    assert not outcome.is_passed
    assert "no store" in report.row(outcome)[-1]
    assert (tmp_path / "logs/broken/valkey.log").read_text() == "what happened"


def test_packets_on_a_cut_link_arrive_after_its_repair() -> None:
    if not is_allowed():
        pytest.skip("network namespaces take root and iproute2")
    with namespace(wire=False) as alone, ExitStack() as stack:
        wire, port = alone.wires["wire"], free_port()
        server = [*alone.run_in, sys.executable, "-m", "http.server", "--bind", wire.far, str(port)]
        running = stack.enter_context(subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(running.terminate)
        client = stack.enter_context(connected(wire.far, port))
        wire.inject(is_cut=True)
        client.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        with pytest.raises(TimeoutError):
            socket.create_connection((wire.far, port), timeout=0.3)
        wire.heal()
        client.settimeout(10)
        assert client.recv(8) == b"HTTP/1.0"


def connected(host: str, port: int) -> socket.socket:
    """To a server that is just starting."""
    deadline = monotonic() + 10
    while True:
        try:
            return socket.create_connection((host, port), timeout=5)
        except ConnectionRefusedError:
            assert monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize(("word", "code"), [("no-such-drill", 2), ("--help", 0)])
def test_an_unknown_name_is_wrong_usage_and_help_describes_each(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], word: str, code: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["drills", word])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == code
    shown = "".join(capfd.readouterr())
    assert all(name in shown for name in DRILLS)
    assert code or all(len(says(name)) > 20 and says(name) in shown for name in DRILLS)


def test_a_whole_drill_holds() -> None:
    [outcome] = command.run("store-full", stores.fill)
    assert outcome.is_passed, report.table([outcome])
    assert outcome.ledger.acknowledged > 20
    assert outcome.bad > 0
