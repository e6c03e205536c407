#!/usr/bin/env bash
# Scans the images at DIGESTS (as publish_images.sh outputs them) for known vulnerabilities: deploy/bin/scan_images.sh report | gate
#
# report   writes everything as SARIF to build/scan
# gate     fails on critical or high findings that have a fix (others cannot be acted on)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
IMAGES=${IMAGES:?ghcr.io/OWNER}
read -ra images <<<"${DIGESTS:?}"

scan() { # image, options
  trivy image --scanners vuln --timeout 10m "${@:2}" "${IMAGES,,}/$1"
}

case ${1:-} in
  report)
    mkdir -p build/scan
    for image in "${images[@]}"; do
      scan "$image" --format sarif --output "build/scan/${image%@*}.sarif"
      # GitHub keeps one run of a tool per category; without one the second image's run replaces the first's.
      python3 deploy/bin/sarif_category.py "build/scan/${image%@*}.sarif" "trivy/${image%@*}"
    done ;;
  gate)
    status=0
    for image in "${images[@]}"; do
      scan "$image" --exit-code 1 --ignore-unfixed --severity CRITICAL,HIGH || status=1
    done
    exit "$status" ;;
  *) echo "error: say report or gate" >&2 && exit 2 ;;
esac
