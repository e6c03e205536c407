#!/usr/bin/env bash
# Reports a deployment to Slack: deploy/bin/tell.sh ENVIRONMENT EXIT_CODE OUTCOME
# SLACK_WEBHOOK_URL          the webhook; without it a log line says that no message was sent
# REVISION, BRANCH, RUN_URL  go into the message
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ "$#" -eq 3 ] || { echo "error: give an environment, an exit code and an outcome" >&2 && exit 2; }
[ -n "${SLACK_WEBHOOK_URL:-}" ] || { echo "no SLACK_WEBHOOK_URL: no notification"; exit 0; }
message=$(mktemp)
trap 'rm -f "$message"' EXIT
python3 deploy/bin/slack_message.py "$@" >"$message"
# The webhook's address is a secret: it goes through stdin, because every process can see our arguments.
printf 'url = "%s"\n' "$SLACK_WEBHOOK_URL" | timeout 30 curl --config - --silent --show-error --fail --max-time 10 \
  --output /dev/null --header 'Content-Type: application/json' --data "@$message"
