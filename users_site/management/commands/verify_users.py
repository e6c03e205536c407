"""`verify_users`: compares every record, email claim and index entry."""

from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.cli.console import add_format, table, whole
from users_site.operations.findings import REPAIRABLE, Finding, Kind
from users_site.operations.store import StoreCommand
from users_site.operations.verify import Verification
from users_site.operations.walk import count as users_in
from users_site.repository.errors import StoreError


class Command(StoreCommand):
    help = """\
Compares every record, email claim, index entry and idempotency entry, and checks every record against the schema. It is
safe while the service runs: it reads in small batches, and checks each suspect again in one atomic step.

--repair fixes findings with one right answer and lists the others. Exits 1 if a finding is left."""
    example = "manage_users.py verify_users\n  manage_users.py verify_users --repair --format json"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="fix findings with one right answer")
        parser.add_argument(
            "--examples", type=whole(0, 1000), default=5, metavar="N", help="findings to show of each kind (default: 5)"
        )
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[Kind] = Counter()
        examples: defaultdict[Kind, list[Finding]] = defaultdict(list)
        with self.store() as bulk:
            total = None
            with suppress(StoreError):  # an index of another type is a finding, not the end
                total = users_in(bulk) * 3
            progress = self.start_progress(total, "entries checked")
            audit = Verification(bulk, repair=options["repair"], advance=progress.update)
            for finding in audit.run():
                counts[finding.kind] += 1
                if len(examples[finding.kind]) < options["examples"]:
                    examples[finding.kind].append(finding)
        progress.close()
        if options["format"] == "json":
            self.write_json(_report(audit, options["repair"], counts, examples, progress.seconds))
        else:
            self._show_report(audit, options["repair"], counts, examples)
        self.say(progress.summary())
        if hint := _hint(counts, options["repair"]):
            raise CommandError(hint)

    def _show_report(
        self, audit: Verification, repair: bool, counts: Counter[Kind], examples: dict[Kind, list[Finding]]
    ) -> None:
        self.stdout.write(", ".join(f"{count:,} {what}" for what, count in audit.checked.items()))
        if not counts:
            self.stdout.write("everything agrees")
            return
        rows = [(kind, f"{count:,}", _fate(kind, repair)) for kind, count in counts.items()]
        self.stdout.write(table(("finding", "count", ""), rows))
        for kind, found in examples.items():
            for finding in found:
                detail = f" ({finding.detail})" if finding.detail else ""
                self.stdout.write(f"{kind}: {finding.key}{detail}")


def _hint(counts: Counter[Kind], repair: bool) -> str:
    """The remaining findings and their cure; "" if there are none."""
    repairable = 0 if repair else sum(count for kind, count in counts.items() if kind in REPAIRABLE)
    decisions = sum(count for kind, count in counts.items() if kind not in REPAIRABLE)
    cures = [f"--repair fixes {repairable:,}"] if repairable else []
    cures += [f"{decisions:,} need a manual decision: see docs/how-to/operating.md"] if decisions else []
    return f"{repairable + decisions:,} findings are left: {'; '.join(cures)}" if cures else ""


def _fate(kind: Kind, repair: bool) -> str:
    if kind not in REPAIRABLE:
        return "needs a manual decision"
    return "repaired" if repair else "--repair fixes it"


def _report(
    audit: Verification, repair: bool, counts: Counter[Kind], examples: dict[Kind, list[Finding]], seconds: float
) -> dict[str, Any]:
    return {
        "checked": dict(audit.checked),
        "seconds": round(seconds, 3),
        "disagreements": [
            {
                "kind": kind.name.lower().replace("_", "-"),
                "meaning": kind.value,
                "count": count,
                "repairable": kind in REPAIRABLE,
                "repaired": repair and kind in REPAIRABLE,
                "examples": [{"key": finding.key, "detail": finding.detail} for finding in examples[kind]],
            }
            for kind, count in counts.items()
        ],
    }
