#!/bin/sh
# Ready: it accepts the gateway's password. The password stays out of the command line.
REDISCLI_AUTH=$(cat "${SECRETS:-/run/secrets/rate-limit}/rate-limit-password")
export REDISCLI_AUTH
[ "$(valkey-cli -p "${PORT:-6379}" ping 2>/dev/null)" = PONG ]
