#!/bin/sh
# Writes the sentinel's configuration once and keeps its state; passwords and users are written at every start.
set -eu
SECRETS=${SECRETS:-/run/secrets/redis}
DATA=${DATA:-/data}
CONFIG=$DATA/sentinel.conf
umask 077
if [ ! -s "$CONFIG" ]; then
  cat >"$CONFIG" <<CONF
port ${SELF#* }
protected-mode no
dir $DATA
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip ${SELF% *}
sentinel announce-port ${SELF#* }
sentinel monitor mymaster $FIRST 2
sentinel down-after-milliseconds mymaster ${DOWN_AFTER_MS:-3000}
sentinel failover-timeout mymaster 10000
sentinel parallel-syncs mymaster 1
sentinel auth-user mymaster sentinel
CONF
fi
password=$(cat "$SECRETS/replication-password")
hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
quoted=$(printf %s "$password" | sed 's/[\\"]/\\&/g')
grep -Ev '^(sentinel auth-pass|user) ' "$CONFIG" >"$CONFIG.new"
printf 'sentinel auth-pass mymaster "%s"\n' "$quoted" >>"$CONFIG.new"
# Everyone may ask for the primary; only a server that stops may ask for another one (hand-over.sh).
cat >>"$CONFIG.new" <<CONF
user default on nopass sanitize-payload resetchannels &* -@all +auth +hello +ping +info +role +subscribe +psubscribe +publish +client|setname +client|setinfo +client|id +sentinel|get-master-addr-by-name +sentinel|get-primary-addr-by-name +sentinel|is-master-down-by-addr +sentinel|is-primary-down-by-addr +sentinel|master +sentinel|masters +sentinel|replicas +sentinel|sentinels +sentinel|myid +sentinel|ckquorum
user handover on #$hash resetchannels -@all +auth +ping +sentinel|failover
CONF
mv "$CONFIG.new" "$CONFIG"
exec valkey-sentinel "$CONFIG"
