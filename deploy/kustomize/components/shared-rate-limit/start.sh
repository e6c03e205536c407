#!/bin/sh
# Writes the ACL file from the mounted password, then executes the server: a hash only, in memory only.
set -eu
SECRETS=${SECRETS:-/run/secrets/rate-limit}
RUN=${RUN:-/run/redis}

# $(…) drops the newline at the end of a file, as the gateway does; printf is a shell builtin, so `ps` never shows it.
password=$(cat "$SECRETS/rate-limit-password")
[ -n "$password" ] || { echo "rate-limit-password is empty: fill that key of the Secret api-gateway-secrets" >&2; exit 1; }
hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)

# The commands of the gateway's script, on its keys: a test runs the gateway against this list; everything else is denied.
umask 077
echo "user default on #$hash resetchannels ~ratelimit:* -@all +auth +hello +ping +select +client|setinfo +client|setname +eval +evalsha +script|load +script|exists +get +set +time" >"$RUN/users.acl"
exec valkey-server "${CONFIG:-/etc/redis/redis.conf}"
