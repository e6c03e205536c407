#!/usr/bin/env bash
# Runs a command with a forwarded port to a gateway without a public address: deploy/bin/forwarded.sh NAMESPACE COMMAND…
# `{}` in the command becomes the local address, which leads through the API server; the port closes afterwards.
set -euo pipefail
readonly OPEN_SECONDS=30
namespace=${1:?a namespace} && shift
log=$(mktemp)
kubectl --namespace "$namespace" port-forward --address 127.0.0.1 service/api-gateway :3000 >"$log" 2>&1 &
forward=$!
trap 'kill "$forward" 2>/dev/null || true; rm -f "$log"' EXIT

port() {
  sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log"
}

while [ -z "$(port)" ]; do
  if [ "$SECONDS" -ge "$OPEN_SECONDS" ] || ! kill -0 "$forward" 2>/dev/null; then
    cat "$log" >&2
    echo "error: the gateway's port cannot be forwarded" >&2
    exit 1
  fi
  sleep 0.1
done
"${@//\{\}/http://localhost:$(port)}"
