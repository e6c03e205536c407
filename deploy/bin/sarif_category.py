"""Gives the runs of a SARIF file a category: sarif_category.py FILE CATEGORY."""

import json
import sys
from pathlib import Path


def main(file: Path, category: str) -> None:
    """Edits in place. GitHub reads `automationDetails.id`; the text after its last slash identifies the run."""
    report = json.loads(file.read_text(encoding="utf-8"))
    for run in report["runs"]:
        run["automationDetails"] = {"id": f"{category}/"}
    file.write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
