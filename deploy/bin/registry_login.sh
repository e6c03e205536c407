#!/usr/bin/env bash
# Logs docker and cosign in at ghcr.io: REGISTRY_USER, REGISTRY_TOKEN. The token goes through stdin, never through arguments.
set -euo pipefail
for name in REGISTRY_USER REGISTRY_TOKEN; do
  [ -n "${!name:-}" ] || { echo "error: $name is not set" >&2 && exit 2; }
done
printf '%s\n' "$REGISTRY_TOKEN" | docker login ghcr.io --username "$REGISTRY_USER" --password-stdin
