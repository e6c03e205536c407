"""Certificates for tests."""

import subprocess
from pathlib import Path

REQUEST = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name, and its key: `NAME.crt` and `NAME.key`."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*REQUEST, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
