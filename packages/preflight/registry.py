"""The table of rules, and what a rule reports."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from packages.preflight.rendering import Rendering

Severity = Literal["error", "warning"]


class Hit(NamedTuple):
    """What a rule yields if a text is not enough; `cure`, `why` and `on` override those of the rule."""

    what: str
    cure: str = ""
    why: str = ""
    is_certain: bool = True
    on: Any = None


Hits = Iterator[str | Hit]


@dataclass(frozen=True, order=True)
class Finding:
    """The object, the fault, why it matters, and the cure."""

    object: str
    what: str
    why: str
    cure: str
    rule: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.object}: {self.what} — {self.why} — {self.cure} [{self.rule}]"


@dataclass(frozen=True)
class Rule:
    """A check with its ID. In the namespaces of the caller's services each hit is an error; elsewhere a certain hit has
    `severity`, any other is a warning."""

    id: str
    check: Callable[..., Hits]
    over: tuple[str, ...]
    why: str
    cure: str
    severity: Severity

    @property
    def title(self) -> str:
        return self.check.__name__.replace("_", " ").capitalize()

    def _subjects(self, rendering: "Rendering") -> Iterable[Any]:
        if not self.over:
            return [None]
        return getattr(rendering, self.over[0]) if self.over[0].islower() else rendering.of(*self.over)

    def findings(self, rendering: "Rendering") -> Iterator[Finding]:
        for subject in self._subjects(rendering):
            for found in self.check(rendering, subject) if self.over else self.check(rendering):
                hit = Hit(found) if isinstance(found, str) else found
                on = hit.on or subject
                certain = self.severity if hit.is_certain else "warning"
                severity = "error" if rendering.is_ours(on) else certain
                what = hit.what if hit.on else getattr(subject, "prefix", "") + hit.what
                yield Finding(str(on), what, hit.why or self.why, hit.cure or self.cure, self.id, severity)


RULES: dict[str, Rule] = {}


def rule(
    id: str,  # noqa: A002 - the word for it
    *over: str,
    why: str = "the API server refuses it",
    cure: str = "",
    severity: Severity = "error",
) -> Callable[[Callable[..., Hits]], Callable[..., Hits]]:
    """Registers a check. It is called for each object of the kinds in `over`, or for each item of that list of a
    rendering (`workloads`, `containers`, `processes`, `servers`, `manifests`); without `over` once.
    """

    def register(check: Callable[..., Hits]) -> Callable[..., Hits]:
        if id in RULES:
            raise ValueError(f"two rules have the ID {id}")
        RULES[id] = Rule(id, check, over, why, cure, severity)
        return check

    return register
