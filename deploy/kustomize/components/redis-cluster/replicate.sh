# Sourced by start.sh: the users for replication and for node.sh, and the settings of a cluster's node.
# Starts node.sh, which gives the node its place in the cluster.
# In: SELF "host:port", POD_IP. nodes.conf, the node's identity, is beside its data: a node without data is another node.
node='+auth +hello +ping +info +cluster|nodes +cluster|info +cluster|meet +cluster|addslotsrange +cluster|replicate +cluster|forget +cluster|failover'
# A slot that moves is written by this user (Valkey 9), so it may write the service's keys.
moves='+@write -@dangerous +cluster|syncslots +select +multi +exec'
replication=$(hash replication-password)
cat >>"$RUN/users.acl" <<ACL
user replication on #$replication resetchannels ~{users:*}* ~{u??}:* $more-@all $moves +psync +replconf +ping
user node on #$replication resetchannels -@all $node
ACL

quoted=$(sed 's/[\\"]/\\&/g' "$SECRETS/replication-password")
{
  echo "include $CONFIG"
  echo "cluster-enabled yes"
  echo "cluster-node-timeout ${NODE_TIMEOUT_MS:-5000}"
  echo "cluster-require-full-coverage no" # one lost primary must not stop the others
  echo "cluster-announce-ip $POD_IP"
  echo "cluster-announce-hostname ${SELF%:*}"
  echo "repl-diskless-sync-delay 0"
  echo "masteruser replication"
  printf 'masterauth "%s"\n' "$quoted" # not echo: dash's would read the backslashes
} >"$RUN/redis.conf"
CONFIG=$RUN/redis.conf
sh "${REPLICATE%/*}/node.sh" join &
