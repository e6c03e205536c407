"""Sets the images of an environment: promote.py dev|staging|prod IMAGE@DIGEST... [--root FOLDER].

Writes the digest of every image into deploy/argocd/environments/ENVIRONMENT/kustomization.yaml and nothing else. A commit
of the file is a promotion (docs/how-to/deploying.md); deploy.sh does it in a copy and applies that.
Exit codes: 0 written, 1 not, 2 wrong usage.
"""

import argparse
import re
import sys
from pathlib import Path

IMAGE = re.compile(r"([a-z-]+)@(sha256:[0-9a-f]{64})")
ENTRY = re.compile(r"(newName: \S+/(\S+)\n +digest: )sha256:[0-9a-f]{64}$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=("dev", "staging", "prod"))
    parser.add_argument("images", nargs="+", type=image, metavar="IMAGE@DIGEST")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="root of the checkout")
    asked = parser.parse_args()
    file = asked.root / "deploy/argocd/environments" / asked.environment / "kustomization.yaml"
    try:
        file.write_text(promoted(file.read_text(encoding="utf-8"), asked.images), encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


def promoted(text: str, images: list[tuple[str, str]]) -> str:
    """`text` with these digests. Raises ValueError unless it names exactly these images, each once."""
    named, given = (sorted(names) for names in ([name for _, name in ENTRY.findall(text)], dict(images)))
    if named != given:
        raise ValueError(
            f"the kustomization has {', '.join(named)}, the command {', '.join(given)}: name each image once"
        )
    return ENTRY.sub(lambda entry: entry[1] + dict(images)[entry[2]], text)


def image(text: str) -> tuple[str, str]:
    """Name and digest."""
    if not (found := IMAGE.fullmatch(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not an image by digest: NAME@sha256: and 64 hexadecimal digits")
    return found[1], found[2]


if __name__ == "__main__":
    main()
