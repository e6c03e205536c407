"""The body of a Slack webhook that reports a deployment: slack_message.py ENVIRONMENT EXIT_CODE OUTCOME.

REVISION, BRANCH and RUN_URL come from the environment. A branch may have any name, so everything is escaped for Slack's
`mrkdwn`: a name must not become a link or a mention.
"""

import json
import os
import sys

SIGNS = {"0": ":white_check_mark:", "1": ":leftwards_arrow_with_hook:"}
LOUD = ":rotating_light:"


def message(environment: str, code: str, outcome: str) -> dict[str, object]:
    revision, branch, run = (os.environ.get(name) or "unknown" for name in ("REVISION", "BRANCH", "RUN_URL"))
    link = f"<{escaped(run)}|the run>" if run.startswith("https://") else escaped(run)
    lines = [
        f"{SIGNS.get(code, LOUD)} users-gateway *{escaped(environment)}*: {escaped(outcome)}",
        f"commit `{escaped(revision[:12])}` of `{escaped(branch)}`, {link}",
    ]
    return {"text": "\n".join(lines)}


def escaped(text: str) -> str:
    """Escapes Slack's three control characters, and those that would end our own markup."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text.replace("`", "'").replace("|", "/")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(message(*sys.argv[1:4])))
