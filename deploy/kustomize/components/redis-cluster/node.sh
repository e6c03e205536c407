#!/bin/sh
# node.sh join       beside the server, as long as it runs: introduces it to its peers, and gives it slots or a primary
# node.sh ready      the node serves, and a replica is in step
# node.sh hand-over  preStop: a replica takes over before its primary stops
# In: SELF and PEERS "host:port …". The first PRIMARIES of PEERS share the slots when the cluster is made.
SECRETS=${SECRETS:-/run/secrets/redis}
REDISCLI_AUTH=$(cat "$SECRETS/replication-password")
export REDISCLI_AUTH

ask() { # host:port command…
  node=$1
  shift
  timeout 3 valkey-cli -h "${node%:*}" -p "${node##*:}" --user node "$@" 2>/dev/null
}

# Of CLUSTER NODES: id, address@bus,host, flags, primary, ping, pong, epoch, link, slots…
myself() { awk '$3 ~ /myself/'; }

is_assigned() { # first last, and the views on stdin: a node is named as the holder of a slot between them
  awk -v first="$1" -v last="$2" '{ for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, slot, "-"); if (slot[1] + 0 <= last && slot[n] + 0 >= first) found = 1 } }
    END { exit !found }'
}

is_whole() { # every slot has a holder
  awk '{ for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, slot, "-"); count += slot[n] - slot[1] + 1 } }
    END { exit count != 16384 }'
}

lonely_primary() { # number: the primary with too few replicas, a different one for each number
  awk -v number="$1" -v wanted="${REPLICAS:-1}" '
    $3 ~ /slave/ && $3 !~ /fail/ { replicas[$4]++ }
    $3 ~ /master/ && $3 !~ /fail/ && NF > 8 { split($2, at, ","); host[$1] = at[2] }
    END {
      least = wanted
      for (id in host) if (replicas[id] + 0 < least) least = replicas[id] + 0
      for (id in host) if (replicas[id] + 0 == least && least < wanted) names[id] = host[id]
      for (id in names) { rank[id] = 0; count++; for (other in names) rank[id] += (names[other] < names[id]) }
      for (id in names) if (rank[id] == number % count) print id
    }'
}

introduce() { # peer, and its view: MEET, unless its present address is in the table; FORGET the ID that it had before
  # shellcheck disable=SC2046 # words are wanted
  set -- "${1%:*}" $(echo "$2" | myself)
  at=${3%%,*}
  address=${at%@*}
  echo "$mine" | awk -v id="$2" -v at="$at," '$1 == id && index($2 ",", at) == 1 && $3 !~ /fail|handshake|noaddr/ { ok = 1 } END { exit !ok }' ||
    ask "$SELF" cluster meet "${address%:*}" "${address##*:}" "${at##*@}" >/dev/null
  for old in $(echo "$mine" | awk -v id="$2" -v host="$1" '{ split($2, at, ",") } at[2] == host && $1 != id && $3 ~ /(^|,)fail(,|$)/ && NF < 9 { print $1 }'); do
    ask "$SELF" cluster forget "$old" >/dev/null
  done
}

heal() {
  mine=$(ask "$SELF" cluster nodes)
  views="" number=0 answered=0
  for peer in $PEERS; do
    [ "$peer" != "$SELF" ] || ordinal=$number
    number=$((number + 1))
    view=$(ask "$peer" cluster nodes)
    [ -n "$(echo "$view" | myself)" ] || continue
    answered=$((answered + 1))
    views="$views
$view"
    [ "$peer" = "$SELF" ] || introduce "$peer" "$view"
  done
  # A node with slots or with a primary has its place. Before all have answered, a slot may have a holder that is not seen.
  echo "$mine" | myself | awk '$3 ~ /master/ && NF < 9 { ok = 1 } END { exit !ok }' || return 0
  [ "$answered" = "$number" ] || return 0
  primaries=${PRIMARIES:-3}
  first=$((ordinal * 16384 / primaries))
  last=$(((ordinal + 1) * 16384 / primaries - 1))
  if [ "$ordinal" -lt "$primaries" ] && ! echo "$views" | is_assigned "$first" "$last"; then
    ask "$SELF" cluster addslotsrange "$first" "$last" >/dev/null
  elif echo "$mine" | is_whole; then
    primary=$(echo "$mine" | lonely_primary "$ordinal")
    [ -z "$primary" ] || ask "$SELF" cluster replicate "$primary" >/dev/null
  fi
}

ready() {
  ask "$SELF" cluster info | grep -q '^cluster_state:ok' || return 1
  ! ask "$SELF" info replication | grep -q '^master_link_status:down'
}

hand_over() {
  # shellcheck disable=SC2046 # words are wanted
  set -- $(ask "$SELF" cluster nodes | awk '$3 ~ /myself,master/ { me = $1 } $3 ~ /slave/ && $3 !~ /fail/ && $8 == "connected" { split($2, at, "@"); follows[$4] = at[1] }
    END { if (me in follows) print follows[me] }')
  [ -n "${1:-}" ] || return 0
  ask "$1" cluster failover
  tries=${HAND_OVER_SECONDS:-10}
  while [ "$tries" -gt 0 ] && ask "$SELF" cluster nodes | myself | grep -q master; do
    sleep 1
    tries=$((tries - 1))
  done
}

case $1 in
  join)
    while kill -0 "$PPID" 2>/dev/null; do # the server
      heal
      sleep "${HEAL_SECONDS:-5}"
    done
    ;;
  ready) ready ;;
  hand-over) hand_over ;;
esac
