"""The ledger: for each user, the states that the answers to its writes allow in the store.

Each client writes only users of its own. A state is the user's name, or None for an absent user. An acknowledged write leaves
one state; a write with an unknown outcome (no answer, 500, 502, 504, a 503 that says "may") leaves two.
"""

from dataclasses import dataclass, field
from time import monotonic

import orjson

from tools.drills.http_client import Answer, Client

PAGE = 100
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
AT_STAKE = ("may have been made", "was made")
"""The detail of a 503 if the change is, or may be, in the store."""


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
        self.started = monotonic()
        self.events: list[Event] = []
        self.entries: dict[str, Entry] = {}
        self.acknowledged = 0
        self.stalled = 0.0
        """The longest time in seconds in which the drill itself did not run: a fault of the machine, not of the services."""

    def note(self, method: str, started: float, answer: Answer | None, why: str = "", about: str = "") -> None:
        now = monotonic()
        status = answer.status if answer else 0
        if answer and status >= 500:
            why = code_of(answer)
        self.events.append(Event(now, now - started, method, status, why, about))
        self.acknowledged += method in WRITES and 200 <= status < 300

    def wrote(self, entry: Entry, wanted: str | None, answer: Answer | None) -> None:
        """Narrows or widens the user's possible states."""
        if answer and 200 <= answer.status < 300:
            entry.states = {wanted}
        elif answer is None or is_uncertain(answer):
            entry.states.add(wanted)

    async def verify(self, port: int) -> Verdict:
        """Compares with every user in the store. Raises Broken, or RuntimeError if they cannot be read."""
        found: dict[str, list[str]] = {}
        client, path = Client(port), f"/api/users?limit={PAGE}"
        while path:
            answer = await client.ask("GET", path)
            if answer.status != 200:
                raise RuntimeError(f"the users cannot be read: {answer.status} {code_of(answer)}")
            page = orjson.loads(answer.body)
            for user in page["results"]:
                found.setdefault(user["name"].split(" ")[0], []).append(user["name"])
            path = page["next"] and "/api/users" + page["next"].partition("/api/users")[2]
        client.close()
        lost = [tag for tag, entry in self.entries.items() if not set(found.get(tag, [None])) & entry.states]
        doubled = [tag for tag in self.entries if len(found.get(tag, ())) > 1]
        # Refused, but in the store.
        ghosts = [tag for tag in lost if self.entries[tag].states == {None} and not self.entries[tag].user_id]
        return Verdict([tag for tag in lost if tag not in ghosts], doubled + ghosts)


def code_of(answer: Answer) -> str:
    try:
        return str(orjson.loads(answer.body)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "no problem document"


def is_uncertain(answer: Answer) -> bool:
    if answer.status in {500, 502, 504}:
        return True
    return answer.status == 503 and any(text in answer.body.decode() for text in AT_STAKE)
