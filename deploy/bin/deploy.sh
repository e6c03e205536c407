#!/usr/bin/env bash
# Deploys images to an environment, and rolls back on failure: deploy/bin/deploy.sh dev|staging|prod
#
#   DIGESTS                       every image: api-gateway@sha256:… user-service@sha256:…
#   SMOKE_URL                     the public address for the smoke test; without it: a forwarded port
#   CLUSTER, AWS_REGION           the EKS cluster; without CLUSTER: the current context of kubectl
#   SMOKE_SECRET                  the secret in AWS Secrets Manager with the API key of the smoke test; without it: no key
#   SLACK_WEBHOOK_URL             receives the result; without it no message is sent
#   REVISION, BRANCH, RUN_URL     go into the message
#   ROLLOUT_SECONDS               for all workloads together (330: longer than their progressDeadlineSeconds)
#   PYTHON                        a Python with requirements.txt (.venv/bin/python)
#
# Exit codes: 0 deployed. 1 not deployed: the old version still runs, or runs again and passes the smoke test.
# 2 wrong usage. 3 not deployed, and the state is unknown: a person must look.
# shellcheck disable=SC2329 # `step` and `trap` call functions by name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly CALL_SECONDS=60 SMOKE_SECONDS=120
declare -A revision_before=()
workloads=() # of the rendering, in the order in which they need each other
failed=""

main() {
  settings "$@"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap interrupted INT TERM
  if ! prepare; then
    finish 1 "not deployed: $failed; nothing was changed"
  elif apply && rollout && smoke; then
    prune || echo "warning: old settings could not be deleted" >&2
    finish 0 "deployed"
  fi
  local cause=$failed
  if [ "${#revision_before[@]}" -eq 0 ]; then
    finish 3 "not deployed: $cause; nothing ran before, so there is nothing to go back to"
  elif roll_back; then
    finish 1 "not deployed: $cause; rolled back, and the smoke test passes"
  fi
  finish 3 "not deployed: $cause; the rollback failed too: $failed; a person must look"
}

settings() {
  [ "$#" -eq 1 ] && [[ $1 =~ ^(dev|staging|prod)$ ]] || usage "give one environment: dev, staging or prod"
  environment=$1 namespace=devops-challenge-$1
  [[ ${DIGESTS:-} =~ ^[a-z-]+@sha256:[0-9a-f]{64}(\ [a-z-]+@sha256:[0-9a-f]{64})*$ ]] ||
    usage "DIGESTS must be images by digest: api-gateway@sha256:… user-service@sha256:…"
  [[ ${SMOKE_URL:-https://} =~ ^https?:// ]] || usage "SMOKE_URL must be an address: https://api.example.com"
  [ -z "${CLUSTER:-}${SMOKE_SECRET:-}" ] || [ -n "${AWS_REGION:-}" ] || usage "AWS_REGION must go with CLUSTER and SMOKE_SECRET"
  ROLLOUT_SECONDS=${ROLLOUT_SECONDS:-330}
  [[ $ROLLOUT_SECONDS =~ ^[1-9][0-9]{0,3}$ ]] || usage "ROLLOUT_SECONDS must be a number of seconds"
  PYTHON=${PYTHON:-.venv/bin/python}
}

usage() {
  echo "error: $1" >&2
  exit 2
}

# Changes nothing: a refusal found here leaves the environment as it was.
prepare() {
  step "the cluster cannot be reached" connect &&
    step "the secret of the smoke test cannot be read" fetch_secret &&
    step "the images cannot be set" set_images &&
    step "the cluster would refuse the manifests" dry_run &&
    step "what runs now cannot be read" remember
}

connect() {
  [ -z "${CLUSTER:-}" ] && return
  export KUBECONFIG="$work/kubeconfig" # a kubeconfig of our own
  bounded "$CALL_SECONDS" aws eks update-kubeconfig --name "$CLUSTER" --region "$AWS_REGION" --kubeconfig "$KUBECONFIG"
}

# Into a file that only we can read: never a variable, an argument or the log.
fetch_secret() {
  [ -z "${SMOKE_SECRET:-}" ] && return
  (umask 077 && bounded "$CALL_SECONDS" aws secretsmanager get-secret-value --region "$AWS_REGION" \
    --secret-id "$SMOKE_SECRET" --query SecretString --output text >"$work/smoke-key") &&
    export SMOKE_API_KEY_FILE="$work/smoke-key"
}

dry_run() {
  kube apply --dry-run=server -o name -k "$work/$manifests" >"$work/names" || return 1
  # Stores first, then the user service, then the gateway.
  mapfile -t workloads < <(sed -n -e 's|^statefulset\.apps/|1 statefulset/|p' \
    -e 's|^deployment\.apps/user-service$|3 deployment/user-service|p' \
    -e 's|^deployment\.apps/api-gateway$|4 deployment/api-gateway|p' \
    -e 's|^deployment\.apps/|2 deployment/|p' "$work/names" | sort | cut -d ' ' -f 2)
}

# By number, not "the previous one": the controller may not have counted our revision yet when we roll back,
# and a workload that we did not change must not roll back at all.
remember() {
  local workload number
  for workload in "${workloads[@]}"; do
    number=$(revision "$workload") || return 1
    if [ -n "$number" ]; then revision_before[$workload]=$number; fi
  done
}

revision() { # workload: the number of its revision, nothing when it is not there
  local name
  case $1 in
    deployment/*)
      kube get "$1" --ignore-not-found -o 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}' ;;
    statefulset/*)
      name=$(kube get "$1" --ignore-not-found -o 'jsonpath={.status.updateRevision}') || return 1
      [ -z "$name" ] || kube get "controllerrevision/$name" -o 'jsonpath={.revision}' ;;
  esac
}

# In a copy: the checkout stays unchanged.
set_images() {
  cp -R deploy "$work/deploy"
  manifests=deploy/argocd/environments/$environment
  local digests
  read -ra digests <<<"$DIGESTS"
  python3 deploy/bin/promote.py "$environment" "${digests[@]}" --root "$work"
}

apply() {
  step "the cluster refused the manifests" kube apply -k "$work/$manifests" || return 1
  local workload
  for workload in "${workloads[@]}"; do
    [ -n "${revision_before[$workload]:-}" ] || start_at_minimum "$workload" || echo "warning: $workload starts with one pod" >&2
  done
}

# A new Deployment without `replicas` has one pod until its autoscaler acts. A patch is not an apply: the next apply does not
# change the number.
start_at_minimum() { # workload
  local scaler number
  scaler=$(grep -E "^(horizontalpodautoscaler\.autoscaling|scaledobject\.keda\.sh)/${1#*/}$" "$work/names") || return 0
  number=$(kube get "$scaler" -o 'jsonpath={.spec.minReplicas}{.spec.minReplicaCount}') || return 1
  kube patch "$1" --type merge --patch "{\"spec\":{\"replicas\":$number}}"
}

# One bound for all of them together.
rollout() {
  local workload deadline=$((SECONDS + ROLLOUT_SECONDS))
  for workload in "${workloads[@]}"; do
    wait_for "$workload" "$deadline" || return 1
  done
}

wait_for() { # workload, deadline
  local left=$(($2 - SECONDS))
  [ "$left" -gt 0 ] || left=1
  step "$1 did not become ready" bounded "$((left + 5))" \
    kubectl --namespace "$namespace" rollout status "$1" --timeout="${left}s"
}

smoke() {
  local command=("$PYTHON" manage_gateway.py smoke)
  if [ -n "${SMOKE_URL:-}" ]; then
    command+=(--url "$SMOKE_URL" --door)
  else
    command=(deploy/bin/forwarded.sh "$namespace" "${command[@]}" --url "{}")
  fi
  step "the smoke test is red" bounded "$SMOKE_SECONDS" "${command[@]}"
}

# Tries every workload, even after a failure; the smoke test decides.
roll_back() {
  local workload all="" deadline
  echo "== rolling back"
  for workload in "${!revision_before[@]}"; do
    step "$workload cannot be undone" kube rollout undo "$workload" --to-revision="${revision_before[$workload]}" ||
      all+="$failed, "
  done
  deadline=$((SECONDS + ROLLOUT_SECONDS))
  for workload in "${workloads[@]}"; do
    [ -z "${revision_before[$workload]:-}" ] || wait_for "$workload" "$deadline" || all+="$failed, "
  done
  smoke || all+="$failed, "
  failed=${all%, }
  [ -z "$failed" ]
}

# Deletes old versions of the settings that no revision and no job uses: a rollback, or a job's next container, needs the others.
prune() {
  local name base kinds=configmaps
  [ "$environment" != dev ] || kinds+=,secrets # the other environments generate none
  kube get deployments,statefulsets,replicasets,controllerrevisions,cronjobs,jobs -o json >"$work/used" || return 1
  kube get "$kinds" -o name >"$work/there" || return 1
  while read -r name; do
    base=${name%-*}
    if [[ $name =~ -[0-9a-z]{10}$ ]] && grep -qE "^$base-[0-9a-z]{10}$" "$work/names" && ! grep -qxF "$name" "$work/names" &&
      ! grep -qF "\"${name#*/}\"" "$work/used"; then
      kube delete "$name" || return 1
    fi
  done <"$work/there"
}

step() { # message on failure, command
  echo "== ${*:2}"
  "${@:2}" && return
  failed=$1
  echo "error: $failed" >&2
  return 1
}

kube() {
  bounded "$CALL_SECONDS" kubectl --namespace "$namespace" --request-timeout=30s "$@"
}

# In the background: the shell handles a signal immediately, not after the command.
bounded() { # seconds, command
  local status=0
  timeout --kill-after=5 "$1" "${@:2}" &
  wait "$!" || status=$?
  return "$status"
}

interrupted() {
  trap '' INT TERM
  # By the shell's list, which has a command from its start: a variable would not have it yet.
  jobs -p >"$work/jobs"
  xargs -r kill <"$work/jobs" 2>/dev/null || true
  finish 3 "interrupted; the state is unknown: a person must look"
}

finish() { # exit code, outcome
  echo "== $environment: $2"
  deploy/bin/tell.sh "$environment" "$1" "$2" || echo "warning: Slack was not notified" >&2
  echo "told=true" >>"${GITHUB_OUTPUT:-/dev/null}"
  exit "$1"
}

main "$@"
