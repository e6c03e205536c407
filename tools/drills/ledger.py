"""The ledger: for each user, the states that the answers to its writes allow in the store.

Each client writes only users of its own. A state is the user's name, or None for an absent user. An acknowledged write leaves
one state; a write with an unknown outcome (no answer, 500, 502, 504, a 503 that says "may") leaves two.
"""

from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic

from tools.drills.http_client import Answer, Broken, Client

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Event:
    """The end of a request: `at` in monotonic seconds, its duration, its method, its status (0: no answer).

    `about`: its path, or the tag of a user that it creates.
    """

    at: float
    seconds: float
    method: str
    status: int
    why: str = ""
    about: str = ""

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 500


@dataclass
class Entry:
    tag: str
    states: set[str | None] = field(default_factory=lambda: {None})
    user_id: str = ""


@dataclass
class Verdict:
    lost: list[str]
    doubled: list[str]


class Ledger:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.entries: dict[str, Entry] = {}
        self.acknowledged = 0
        self.stalled = 0.0
        """The longest time in seconds in which the drill itself did not run, because of the machine."""

    async def ask(self, client: Client, method: str, path: str, body: bytes = b"", **headers: str) -> Answer | None:
        """Sends one request and records its end; None if it was not answered."""
        started, answer, status, why = monotonic(), None, 0, ""
        try:
            answer = await client.ask(method, path, body, **headers)
        except Broken as error:
            why = str(error)
        else:
            status, why = answer.status, answer.code if answer.status >= 500 else ""
        now, about = monotonic(), headers.get("Idempotency_Key", path)
        self.events.append(Event(now, now - started, method, status, why, about))
        self.acknowledged += method in WRITES and 200 <= status < 300
        return answer

    def wrote(self, entry: Entry, wanted: str | None, answer: Answer | None) -> None:
        """Narrows or widens the user's possible states."""
        if answer and 200 <= answer.status < 300:
            entry.states = {wanted}
        elif answer is None or answer.is_uncertain:
            entry.states.add(wanted)

    async def verify(self, port: int) -> Verdict:
        """Compares with every user in the store. Raises Broken, or RuntimeError if they cannot be read."""
        found: dict[str, list[str]] = {}
        with closing(Client(port)) as client:
            for user in await client.users():
                found.setdefault(user["name"].split(" ")[0], []).append(user["name"])
        lost = [tag for tag, entry in self.entries.items() if not set(found.get(tag, [None])) & entry.states]
        doubled = [tag for tag in self.entries if len(found.get(tag, ())) > 1]
        # Refused, but the store has it.
        ghosts = [tag for tag in lost if self.entries[tag].states == {None} and not self.entries[tag].user_id]
        return Verdict([tag for tag in lost if tag not in ghosts], doubled + ghosts)
