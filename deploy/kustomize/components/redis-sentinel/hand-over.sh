#!/bin/sh
# preStop: before a primary stops, the sentinels make a replica the primary. Clients wait for milliseconds, not for
# down-after-milliseconds and an election. Without an answer the pod stops as it would have.
SECRETS=${SECRETS:-/run/secrets/redis}
SECONDS_LEFT=${HAND_OVER_SECONDS:-10}

primary() { # this server's role, queried with the service's password
  [ "$(REDISCLI_AUTH=$(cat "$SECRETS/password") valkey-cli -p "${PORT:-6379}" role 2>/dev/null | head -n 1)" = master ]
}

primary || exit 0
for sentinel in $SENTINELS; do
  # COORDINATED: the primary pauses writes until the replica has them all.
  answer=$(REDISCLI_AUTH=$(cat "$SECRETS/replication-password") timeout 3 valkey-cli -h "${sentinel%:*}" -p "${sentinel#*:}" \
    --user handover sentinel failover mymaster coordinated 2>&1)
  [ "$answer" = OK ] || { echo "$sentinel: $answer" >&2; continue; }
  while [ "$SECONDS_LEFT" -gt 0 ] && primary; do
    sleep 1
    SECONDS_LEFT=$((SECONDS_LEFT - 1))
  done
  break
done
exit 0
