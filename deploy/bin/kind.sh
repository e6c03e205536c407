#!/usr/bin/env bash
# The dev overlay on a cluster in containers, and the tests that need a cluster: `make kind`
# Builds both images, loads and applies them, waits, runs the smoke test and the end-to-end tests; tries connections that must be
# denied; restarts both services under load without losing a request; deletes the cluster.
#   KEEP=1  keeps the cluster, with its kubeconfig in build/kind/kubeconfig
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# The node image of kind 0.31, which older and newer versions can start: kind's release notes, and `kind version` there.
readonly NODE=kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f
readonly NAMESPACE=devops-challenge-dev CLUSTER=users-gateway MANIFESTS=deploy/tests/pipelines/kind
readonly SETTINGS=build/kind/kubeconfig
export KUBECONFIG=$PWD/$SETTINGS

needs() { # program, cure
  command -v "$1" >/dev/null || { echo "error: $1 is not on PATH: $2" >&2 && exit 2; }
}

clean_up() {
  local status=$?
  if [ "$status" -ne 0 ]; then
    kube get pods,events --sort-by=.metadata.creationTimestamp || true
    kube logs --selector app.kubernetes.io/part-of=users-gateway --all-containers --prefix --tail=50 || true
  fi
  if [ -z "${KEEP:-}" ]; then
    kind delete cluster --name "$CLUSTER" || true
    rm -f "$KUBECONFIG"
  fi
}

kube() {
  kubectl --namespace "$NAMESPACE" --request-timeout=30s "$@"
}

# A failed job ends the wait; `wait` alone would use its whole time-out.
job() { # name, seconds
  local deadline=$((SECONDS + $2))
  kube apply -f "$MANIFESTS/$1.yaml"
  finished "$1" "$deadline"
}

finished() { # job, deadline
  local state
  while [ "$SECONDS" -lt "$2" ]; do
    state=$(kube get "job/$1" -o 'jsonpath={.status.conditions[?(@.status=="True")].type}')
    case $state in
      *Failed*) break ;;
      *Complete*) kube logs "job/$1"; return ;;
    esac
    sleep 2
  done
  kube logs "job/$1" || true
  echo "error: the job $1 failed" >&2
  return 1
}

restart_under_load() {
  local deadline=$((SECONDS + 300)) name
  kube apply -f "$MANIFESTS/load.yaml"
  kube wait --for=condition=Ready pod --selector job-name=load --timeout=60s --request-timeout=0
  for name in user-service api-gateway; do
    kube rollout restart "deployment/$name"
    kube rollout status "deployment/$name" --timeout=120s --request-timeout=0
  done
  # Otherwise the load may have ended before the restarts.
  [ "$(kube get job/load -o 'jsonpath={.status.active}')" = 1 ] || { echo "error: the load ended too soon" >&2 && return 1; }
  finished load "$deadline"
}

needs docker "install Docker"
needs kubectl "install kubectl 1.27 or newer"
needs kind "install kind 0.24 or newer (older ones ignore network policies), e.g. go install sigs.k8s.io/kind@v0.31.0"
docker info >/dev/null 2>&1 || { echo "error: Docker does not answer: start it" >&2 && exit 2; }
mkdir -p build/kind
trap clean_up EXIT
kind create cluster --name "$CLUSTER" --image "$NODE" --kubeconfig "$KUBECONFIG" --wait 120s
ENGINE=docker deploy/bin/images.sh local
kind load docker-image --name "$CLUSTER" devops-challenge/api-gateway:local devops-challenge/user-service:local
kubectl apply -k "$MANIFESTS"
for workload in statefulset/redis deployment/user-service deployment/api-gateway; do
  kube rollout status "$workload" --timeout=180s --request-timeout=0
done
job smoke 120
deploy/bin/forwarded.sh "$NAMESPACE" deploy/bin/end_to_end.sh {}
job denied 60
restart_under_load
deploy/bin/forwarded.sh "$NAMESPACE" curl --silent --show-error --fail "{}/api/users?limit=1"
printf '\neverything held\n'
[ -z "${KEEP:-}" ] || cat <<END
The cluster stays. To use it:
  export KUBECONFIG=$SETTINGS
  kubectl -n $NAMESPACE port-forward service/api-gateway 3000 &
  curl 'localhost:3000/api/users?limit=1'
To delete it: kind delete cluster --name $CLUSTER
END
