# Sourced by start.sh: the users for replication and for the sentinels, and the primary that this server follows.
# In: SELF and FIRST "host port", SENTINELS "host:port …". The sentinels name the primary; at the very first start it is FIRST.
DATA=${DATA:-/data}

ask() { # sentinel command…: the first sentinel's answer
  for sentinel in $SENTINELS; do
    answer=$(timeout 3 valkey-cli -h "${sentinel%:*}" -p "${sentinel#*:}" sentinel "$@" 2>/dev/null) || continue
    [ -z "$answer" ] || { echo "$answer"; return; }
  done
}

empty() { [ -z "$(ls -A "$DATA")" ]; }

# A primary without data would empty its replicas: it waits until one of them is elected.
# A server with data but without an answering sentinel waits as well: another one may have newer data.
tries=0
while :; do
  primary=$(ask get-master-addr-by-name mymaster | head -n 2 | tr '\n' ' ')
  primary=${primary% }
  if [ -z "$primary" ]; then
    empty && break
  elif [ "$primary" != "$SELF" ] || ! empty || [ -z "$(ask replicas mymaster)" ]; then
    break
  fi
  tries=$((tries + 1))
  [ "$tries" -lt "${TRIES:-25}" ] || { echo "the sentinels do not say whom to follow: see why none of them answers or elects" >&2; exit 1; }
  sleep 2
done
primary=${primary:-$FIRST}

replication=$(hash replication-password)
cat >>"$RUN/users.acl" <<ACL
user replication on #$replication resetchannels -@all +psync +replconf +ping
user sentinel on #$replication allchannels -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill +client|pause +client|unpause +failover
ACL

quoted=$(sed 's/[\\"]/\\&/g' "$SECRETS/replication-password")
{
  echo "include $CONFIG"
  echo "replica-announce-ip ${SELF% *}"
  echo "replica-announce-port ${SELF#* }"
  echo "repl-diskless-sync-delay 0"
  echo "masteruser replication"
  printf 'masterauth "%s"\n' "$quoted" # not echo: dash's would read the backslashes
  [ "$primary" = "$SELF" ] || echo "replicaof $primary"
} >"$RUN/redis.conf"
CONFIG=$RUN/redis.conf # in memory and writable: the sentinels rewrite it at a failover
