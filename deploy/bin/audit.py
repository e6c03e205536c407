"""Checks licences and known vulnerabilities of the services' dependencies: audit.py [--osv-url URL], after sbom.sh.

Writes build/supply-chain/audit.md and fails on a finding. It also fails if the advisory source is unreachable or empty,
because an empty source would pass everything: the same run asks about a package with a known vulnerability.
Exit codes: 0 clean, 1 findings, or a source failed.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "supply-chain"
OSV = "https://api.osv.dev/v1/query"
CANARY = "jinja2", "2.4.1"
"""Not a dependency of ours; CVE-2014-1402 and others affect it."""
AUDIT_SECONDS = 300

ALLOWED = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"}
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
READ_BY_HAND = {"protobuf": "BSD-3-Clause", "uritemplate": "BSD-3-Clause"}
"""Packages whose metadata name no machine-readable licence; their LICENSE files do."""


class UnknownError(Exception):
    """A source gave no usable answer; the text says which."""


def main() -> None:
    """Always writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--osv-url", default=OSV, help="URL of the advisory database")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the SBOM and the report")
    asked = parser.parse_args()
    lines, findings = ["# What the services run on", ""], []
    for check in (licences, lambda folder: vulnerabilities(folder, asked.osv_url)):
        try:
            found, said = check(asked.folder)
        except UnknownError as error:
            found, said = [f"unknown: {error}"], []
        findings += found
        lines += [*said, *(f"- **{finding}**" for finding in found), ""]
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.folder / "audit.md").write_text("\n".join(lines), encoding="utf-8")
    if findings:
        sys.exit("\n".join(f"error: {finding}" for finding in findings))


def licences(folder: Path) -> tuple[list[str], list[str]]:
    """The licences that are not allowed, and a line for each package. Raises UnknownError without a plausible SBOM."""
    try:
        components = json.loads((folder / "users-gateway.cdx.json").read_text(encoding="utf-8"))["components"]
    except (OSError, ValueError, KeyError) as error:
        raise UnknownError(f"the SBOM cannot be read ({type(error).__name__}): make sbom") from error
    names = {component["name"].lower() for component in components}
    if missing := {"django", "redis"} - names:
        raise UnknownError(f"the SBOM has no {', '.join(sorted(missing))}: it is of another environment, make sbom")
    findings, lines = [], ["## Licences", ""]
    for component in components:
        name, terms = component["name"], licence(component)
        lines.append(f"- {name} {component['version']}: {terms or 'unknown'}")
        if not allowed(terms):
            findings.append(f"{name} has the licence {terms or 'unknown'}, which nobody has allowed")
    return findings, lines


def licence(component: dict[str, Any]) -> str:
    if component["name"] in READ_BY_HAND:
        return READ_BY_HAND[component["name"]]
    entries = component.get("licenses", [])
    said = [
        entry.get("expression") or entry["license"].get("id") or entry["license"].get("name", "") for entry in entries
    ]
    spdx = [text for text in said if not text.startswith("License ::")]
    return " AND ".join(sorted(set(spdx or [CLASSIFIERS.get(text, text) for text in said])))


def allowed(expression: str) -> bool:
    """Whether every licence of an expression is allowed; also every alternative, which is stricter than necessary."""
    terms = [term for term in re.split(r"[()\s]+|\bAND\b|\bOR\b", expression) if term]
    return bool(terms) and all(term in ALLOWED for term in terms)


def vulnerabilities(folder: Path, url: str) -> tuple[list[str], list[str]]:
    """A finding for each advisory. Raises UnknownError unless the source reports the canary."""
    pins = re.findall(r"^([\w.-]+(?:\[[^]]*\])?==[^\s;\\]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    report = asked(pins, url)
    answered = {entry["name"].lower(): entry for entry in report["dependencies"]}
    if not answered.get(CANARY[0], {}).get("vulns"):
        raise UnknownError(f"{url} knows nothing against {'=='.join(CANARY)}, so its silence says nothing")
    unasked = [pin for pin in pins if "vulns" not in answered.get(re.split(r"[=\[]", pin)[0].lower(), {})]
    if unasked:
        raise UnknownError(f"{url} was not asked about {', '.join(unasked)}")
    del answered[CANARY[0]]
    findings = [
        f"{entry['name']} {entry['version']} has {each['id']}, fixed in {', '.join(each['fix_versions']) or 'nothing yet'}"
        for entry in answered.values()
        for each in entry["vulns"]
    ]
    return findings, ["## Known vulnerabilities", "", f"{len(pins)} packages, asked at {url}."]


def asked(pins: list[str], url: str) -> dict[str, Any]:
    """pip-audit's answer for the pins and the canary. Raises UnknownError without one."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join([*pins, "==".join(CANARY)]))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "-r", file.name, "--disable-pip", "--no-deps", "-f", "json"]
        command += ["--vulnerability-service", "osv", "--osv-url", url, "--progress-spinner", "off"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=AUDIT_SECONDS)
            answer: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired as error:
            raise UnknownError(f"{url} has not answered within {AUDIT_SECONDS} s") from error
        except ValueError as error:
            last = done.stderr.strip().rsplit("\n", 1)[-1]
            raise UnknownError(f"{url} is out of reach: {last or 'pip-audit said nothing'}") from error
    return answer


if __name__ == "__main__":
    main()
