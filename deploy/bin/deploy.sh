#!/usr/bin/env bash
# Brings an environment to two images, and back to what ran before when that fails: deploy/bin/deploy.sh dev|staging|prod
#
#   GATEWAY_DIGEST, USERS_DIGEST  sha256:… of what is to run
#   SMOKE_URL                     the public address, to smoke at; without: by port-forward, where nothing leads in from outside
#   CLUSTER, AWS_REGION           the EKS cluster; without CLUSTER: the current context of kubectl
#   SMOKE_SECRET                  the secret in AWS Secrets Manager that holds the API key for the smoke test; without: no key
#   SLACK_WEBHOOK_URL             who is told; without: nobody
#   REVISION, BRANCH, RUN_URL     what the message says
#   ROLLOUT_SECONDS               for all workloads together (330: longer than their progressDeadlineSeconds)
#   PYTHON                        one that has requirements.txt (.venv/bin/python)
#
# Exit codes: 0 deployed. 1 not deployed; what ran before still runs, or runs again and passes its smoke test.
# 2 wrong usage. 3 not deployed, and nobody knows that what ran before runs: somebody has to look.
# shellcheck disable=SC2329 # `step` and `trap` call functions by name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# In the order in which they are waited for: each needs the one before it.
readonly WORKLOADS=(statefulset/redis deployment/user-service deployment/api-gateway)
readonly CALL_SECONDS=60 SMOKE_SECONDS=120
declare -A revision_before=()
failed="" child=""

main() {
  settings "$@"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap interrupted INT TERM
  if ! prepare; then
    finish 1 "not deployed: $failed; nothing was changed"
  elif apply && rollout && smoke; then
    finish 0 "deployed"
  fi
  local cause=$failed
  if [ "${#revision_before[@]}" -eq 0 ]; then
    finish 3 "not deployed: $cause; nothing ran before, so there is nothing to go back to"
  elif roll_back; then
    finish 1 "not deployed: $cause; rolled back, and the smoke test passes"
  fi
  finish 3 "not deployed: $cause; the rollback failed too: $failed; somebody has to look"
}

settings() {
  local name
  [ "$#" -eq 1 ] && [[ $1 =~ ^(dev|staging|prod)$ ]] || usage "give one environment: dev, staging or prod"
  environment=$1 namespace=devops-challenge-$1
  for name in GATEWAY_DIGEST USERS_DIGEST; do
    [[ ${!name:-} =~ ^sha256:[0-9a-f]{64}$ ]] || usage "$name must be a digest: sha256: and 64 hexadecimal digits"
  done
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

# Everything that changes nothing: a refusal found here leaves the environment as it was.
prepare() {
  step "the cluster cannot be reached" connect &&
    step "the secret of the smoke test cannot be read" fetch_secret &&
    step "what runs now cannot be read" remember &&
    step "the images cannot be set" set_images &&
    step "the cluster would refuse the manifests" kube apply --dry-run=server -k "$work/$manifests"
}

connect() {
  [ -z "${CLUSTER:-}" ] && return
  export KUBECONFIG="$work/kubeconfig" # nobody's own is touched
  bounded "$CALL_SECONDS" aws eks update-kubeconfig --name "$CLUSTER" --region "$AWS_REGION" --kubeconfig "$KUBECONFIG"
}

# Into a file only we can read; never into a variable of ours, an argument or the log.
fetch_secret() {
  [ -z "${SMOKE_SECRET:-}" ] && return
  (umask 077 && bounded "$CALL_SECONDS" aws secretsmanager get-secret-value --region "$AWS_REGION" \
    --secret-id "$SMOKE_SECRET" --query SecretString --output text >"$work/smoke-key") &&
    export SMOKE_API_KEY_FILE="$work/smoke-key"
}

# Their numbers, and not "the previous one": the controller may not have counted our revision yet when we go back,
# and a workload that we did not change must not go back at all. `undo --to-revision` does both right.
remember() {
  local workload number
  for workload in "${WORKLOADS[@]}"; do
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

# In a copy: the checkout stays as it is.
set_images() {
  cp -R deploy "$work/deploy"
  manifests=deploy/argocd/environments/$environment
  python3 deploy/bin/promote.py "$environment" "$GATEWAY_DIGEST" "$USERS_DIGEST" --root "$work"
}

apply() {
  step "the cluster refused the manifests" kube apply -k "$work/$manifests"
}

# One bound for all of them together.
rollout() {
  local workload deadline=$((SECONDS + ROLLOUT_SECONDS))
  for workload in "${WORKLOADS[@]}"; do
    wait_for "$workload" "$deadline" || return 1
  done
}

wait_for() { # workload, deadline
  local left=$(($2 - SECONDS))
  [ "$left" -gt 0 ] || left=1
  step "$1 did not become ready" bounded "$((left + 5))" \
    kubectl --namespace "$namespace" rollout status "$1" --timeout="${left}s"
}

# The settings are those that every command wants, not ones that smoke uses.
smoke() {
  local command=(env DEBUG=true USER_SERVICE_URL=http://unused "$PYTHON" manage_gateway.py smoke)
  if [ -n "${SMOKE_URL:-}" ]; then
    command+=(--url "$SMOKE_URL" --door)
  else
    command=(deploy/bin/forwarded.sh "$namespace" "${command[@]}" --url "{}")
  fi
  step "the smoke test is red" bounded "$SMOKE_SECONDS" "${command[@]}"
}

# Each is tried, whatever became of the others; the smoke test has the last word.
roll_back() {
  local workload all="" deadline
  echo "== back to what ran before"
  for workload in "${!revision_before[@]}"; do
    step "$workload cannot be undone" kube rollout undo "$workload" --to-revision="${revision_before[$workload]}" ||
      all+="$failed, "
  done
  deadline=$((SECONDS + ROLLOUT_SECONDS))
  for workload in "${WORKLOADS[@]}"; do
    [ -z "${revision_before[$workload]:-}" ] || wait_for "$workload" "$deadline" || all+="$failed, "
  done
  smoke || all+="$failed, "
  failed=${all%, }
  [ -z "$failed" ]
}

step() { # what to say when it fails, command
  echo "== ${*:2}"
  "${@:2}" && return
  failed=$1
  echo "error: $failed" >&2
  return 1
}

kube() {
  bounded "$CALL_SECONDS" kubectl --namespace "$namespace" --request-timeout=30s "$@"
}

# In the background, so that a signal to us is handled at once and not after the command.
bounded() { # seconds, command
  local status=0
  timeout --kill-after=5 "$1" "${@:2}" &
  child=$!
  wait "$child" || status=$?
  child=""
  return "$status"
}

interrupted() {
  trap '' INT TERM
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  finish 3 "interrupted; nobody knows what runs: somebody has to look"
}

finish() { # exit code, outcome
  echo "== $environment: $2"
  deploy/bin/tell.sh "$environment" "$1" "$2" || echo "warning: Slack was not told" >&2
  echo "told=true" >>"${GITHUB_OUTPUT:-/dev/null}"
  exit "$1"
}

main "$@"
