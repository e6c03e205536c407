#!/bin/bash
# Stands in for kubectl, aws, curl and so on, first on PATH under their names: records its call, and fails on order.
#
# kubectl's keeps a small cluster in files: `apply` makes every workload new, `rollout undo` makes one old again. So a test
# can ask which version runs in the end. Bash alone and no forks: it is called some five hundred times.
set -euo pipefail

declare -A REVISIONS=([statefulset/redis]=redis-5d9f [statefulset/redis-sentinel]=redis-sentinel-77f [deployment/rate-limit]=3
  [deployment/user-service]=41 [deployment/api-gateway]=73)
# As kustomize renders them: not in the order in which they need each other.
ORDER=(deployment/api-gateway deployment/rate-limit deployment/user-service statefulset/redis statefulset/redis-sentinel)
REDIS_REVISION=7

# What our scripts read of the real one's output.
answer() {
  local workload expected
  if [[ $call == *"secretsmanager get-secret-value"* ]]; then
    printf '%s\n' "$STUB_SECRET"
  elif [[ $call == *" --dry-run=server -o name "* ]]; then
    for workload in "${ORDER[@]}"; do printf '%s\n' "${workload/\//.apps/}"; done
    printf '%s\n' "horizontalpodautoscaler.autoscaling/"{api-gateway,user-service} configmap/settings-bbbbbbbbbb
  elif [[ $call == *" get horizontalpodautoscaler.autoscaling/"* ]]; then
    printf 2
  elif [[ $call == *" get deployments,"* ]]; then
    printf '{"name": "settings-aaaaaaaaaa"}'
  elif [[ $call == *" get configmaps"*" -o name" ]]; then
    printf 'configmap/%s\n' settings-{9999999999,aaaaaaaaaa,bbbbbbbbbb} other-9999999999 settings-of-others
  elif [[ $call =~ \ get\ ([a-z]+/[a-z0-9-]+)\  ]]; then
    workload=${BASH_REMATCH[1]}
    if [[ $workload == controllerrevision/* ]]; then
      printf %s "$REDIS_REVISION"
    elif [[ $workload == job/* ]]; then
      if [[ $call == *.status.active* ]]; then printf 1; else printf %s "${STUB_JOB:-SuccessCriteriaMet Complete}"; fi
    elif [ -e "$STAGE/cluster/${workload#*/}" ]; then
      printf %s "${REVISIONS[$workload]}"
    fi
  elif [[ $call == *" port-forward "* ]]; then
    echo "Forwarding from 127.0.0.1:${STUB_PORT:-40123} -> 3000"
    read -r -t 20 <> <(:) || true
  elif [[ $call == *"imagetools inspect"* ]]; then
    printf 'sha256:%064d\n' "${#call}"
  elif [[ $call =~ \ --metadata-file\ ([^ ]+) ]]; then
    printf '{"containerimage.digest": "sha256:%064d"}' "${#call}" >"${BASH_REMATCH[1]}"
  elif [[ $call =~ \ --bundle\ ([^ ]+) ]]; then
    printf '{}' >"${BASH_REMATCH[1]}"
  elif [[ $call == "trivy "* && $call =~ \ --output\ ([^ ]+) ]]; then
    printf '{"runs": [{}]}' >"${BASH_REMATCH[1]}"
  elif [[ $call == *" apply -k "* && $call != *--dry-run* ]]; then
    for workload in "${ORDER[@]:0:$1}"; do printf new >"$STAGE/cluster/${workload#*/}"; done
  elif [[ $call =~ rollout\ undo\ ([a-z]+/[a-z-]+)\ --to-revision=([0-9]+)$ ]]; then
    workload=${BASH_REMATCH[1]} expected=${REVISIONS[${BASH_REMATCH[1]}]}
    [[ $workload != statefulset/* ]] || expected=$REDIS_REVISION
    if [ "${BASH_REMATCH[2]}" = "$expected" ]; then printf old; else printf 'revision %s' "${BASH_REMATCH[2]}"; fi \
      >"$STAGE/cluster/${workload#*/}"
  fi
}

# An order to fail: the first matching call that fails, the last, "partly", "hangs" or "fails", a pattern.
ordered() {
  local from to kind pattern line
  while read -r from to kind pattern; do
    [[ $call =~ $pattern ]] || continue
    local count=0
    while read -r line; do if [[ $line =~ $pattern ]]; then count=$((count + 1)); fi; done <"$STAGE/calls"
    if [ "$count" -ge "$from" ] && [ "$count" -le "$to" ]; then
      printf -v order %s "$kind"
      return
    fi
  done <"$STAGE/failures"
}

call="${0##*/} $*" order=""
printf '%s\n' "$call" >>"$STAGE/calls"
# What a script hands over beside arguments: who bounds the call, which cluster, which key, which manifests.
read -r parent <"/proc/$PPID/comm"
printf '%s\t%s\t%s\n' "$parent" "${KUBECONFIG:-}" "$call" >>"$STAGE/surroundings"
if [[ -n ${SMOKE_API_KEY_FILE:-} && $call == *" smoke "* ]]; then
  printf '%s %s' "$(stat -c %a "$SMOKE_API_KEY_FILE")" "$(<"$SMOKE_API_KEY_FILE")" >"$STAGE/smoke-key"
fi
if [[ $call =~ \ apply\ -k\ (/.*/argocd/environments/.*)$ && -d ${BASH_REMATCH[1]}/../../../kustomize/base ]]; then
  printf %s "$(<"${BASH_REMATCH[1]}/kustomization.yaml")" >"$STAGE/applied"
fi
if [[ $call == *"--config -"* || $call == *--password-stdin* ]]; then IFS= read -r line; printf '%s\n' "$line" >>"$STAGE/stdin"; fi
if [[ $call =~ \ --data\ @([^ ]+) ]]; then printf %s "$(<"${BASH_REMATCH[1]}")" >"$STAGE/message"; fi
ordered
case $order in
  "") answer 5 ;;
  partly) answer 3 ;;
  hangs) read -r -t 60 <> <(:) || true ;;
esac
[ -z "$order" ] || { echo "told to fail: $call" >&2; exit 1; }
