#!/bin/sh
# Ready: it accepts the service's password and the data set is loaded. The password stays out of the command line.
REDISCLI_AUTH=$(cat "${SECRETS:-/run/secrets/redis}/password")
export REDISCLI_AUTH
[ "$(valkey-cli -p "${PORT:-6379}" ping 2>/dev/null)" = PONG ]
