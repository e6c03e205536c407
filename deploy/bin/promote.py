"""Sets the images of an environment: promote.py dev|staging|prod GATEWAY_DIGEST USERS_DIGEST [--root FOLDER].

Writes the two digests into deploy/argocd/environments/ENVIRONMENT/kustomization.yaml and nothing else. A commit of the
file is a promotion (docs/how-to/deploying.md); deploy.sh does it in a copy and applies that.
Exit codes: 0 written, 1 not, 2 wrong usage.
"""

import argparse
import re
import sys
from pathlib import Path

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=("dev", "staging", "prod"))
    parser.add_argument("gateway", type=digest)
    parser.add_argument("users", type=digest)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="of the checkout")
    asked = parser.parse_args()
    file = asked.root / "deploy/argocd/environments" / asked.environment / "kustomization.yaml"
    try:
        text = file.read_text(encoding="utf-8")
        for image, wanted in (("api-gateway", asked.gateway), ("user-service", asked.users)):
            text = promoted(text, image, wanted)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    file.write_text(text, encoding="utf-8")
    return 0


def promoted(text: str, image: str, wanted: str) -> str:
    """`text` with another digest for `image`. Raises ValueError unless it names that image's digest exactly once."""
    entry = re.compile(rf"(newName: \S+/{image}\n +digest: ){DIGEST.pattern}$", re.MULTILINE)
    text, count = entry.subn(rf"\g<1>{wanted}", text)
    if count != 1:
        raise ValueError(f"the kustomization must name one digest of {image} and names {count}")
    return text


def digest(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no digest: sha256: and 64 hexadecimal digits")
    return text


if __name__ == "__main__":
    sys.exit(main())
