#!/bin/sh
# Writes the ACL file from the mounted passwords, then executes the server.
# Hashes only, in memory only: no password reaches a command line, an environment or a disk.
set -eu
SECRETS=${SECRETS:-/run/secrets/redis}
RUN=${RUN:-/run/redis}
CONFIG=${CONFIG:-/etc/redis/redis.conf}

hash() {
  # $(…) drops the newline at the end of a file, as the services do; printf is a shell builtin, so `ps` never shows it.
  password=$(cat "$SECRETS/$1")
  [ -n "$password" ] || { echo "$1 is empty: fill that key of the Secret redis-auth" >&2; return 1; }
  printf %s "$password" | sha256sum | cut -d ' ' -f 1
}

# The commands of the repository and the management commands: tests run both against this list; everything else is denied.
connection='+auth +hello +ping +echo +select +reset +quit +role +client|setinfo +client|setname +client|id +cluster|nodes +cluster|slots +asking'
strings='+get +set +mget +mset +strlen +exists +del +unlink +expire +pexpire +pexpireat +pexpiretime +persist +ttl +pttl +type'
index='+zadd +zrem +zrange +zcard +zcount +zlexcount +zscore +zmscore +zrank +sort_ro'
scripts='+eval +eval_ro +evalsha +evalsha_ro +script|load +script|exists'
whole='+scan +zscan +dbsize +info +wait +waitaof +multi +exec +discard +watch +unwatch +time'

# Components add the keys of further services: KEYS_ORDERS=~{orders}*
more=$(env | sed -n 's/^KEYS_[A-Z]*=//p' | tr '\n' ' ')

# The service's user is `default`, so a client needs only a password. It may access the service's keys only.
umask 077
default=$(hash password)
{
  echo "user default on #$default resetchannels ~{users:*}* ~{u??}:* $more-@all $connection $strings $index $scripts $whole"
  if [ -s "$SECRETS/operator-password" ]; then
    operator=$(hash operator-password)
    echo "user operator on #$operator ~* &* +@all"
  fi
} >"$RUN/users.acl"
# The components redis-sentinel and redis-cluster add this file: users for replication and monitoring, and whom to follow.
REPLICATE=${REPLICATE:-${CONFIG%/*}/replicate.sh}
# shellcheck source=/dev/null
[ ! -f "$REPLICATE" ] || . "$REPLICATE"
# shellcheck disable=SC2086 # two words or none
exec valkey-server "$CONFIG" ${MAXMEMORY:+--maxmemory "$MAXMEMORY"}
