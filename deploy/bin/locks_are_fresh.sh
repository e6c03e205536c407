#!/usr/bin/env bash
# Whether `make lock` would write the same locks. Valid pins stay, so only a changed input shows, not a new
# release. Needs the package index; `make lint` checks names and versions offline.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp requirements*.txt "$before"
make lock
status=0
for lock in requirements*.txt; do
  diff -u "$before/$lock" "$lock" || { echo "error: $lock is stale: commit what make lock writes" >&2 && status=1; }
done
exit "$status"
