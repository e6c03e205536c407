#!/usr/bin/env bash
# From pushed platforms to signed, named images: deploy/bin/publish_images.sh merge | sign | find TAG
#
#   merge     each image of both platforms (build/digests), named sha-<7>; their digests become the output
#   sign      keyless signature, then the public names: the branch, and `latest` on main
#   find TAG  the digests behind a tag, as the output
#
#   IMAGES, REVISION, BRANCH   ghcr.io/OWNER, the commit, where it is
#   DIGESTS                    what to sign, as in the output: api-gateway@sha256:… user-service@sha256:…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
IMAGES=${IMAGES:?ghcr.io/OWNER}
IMAGES=${IMAGES,,}
names=$(deploy/bin/image_names.sh | cut -d ' ' -f 2)
mapfile -t images <<<"$names"

merge() {
  local image sources
  for image in "${images[@]}"; do
    sources=()
    for platform in amd64 arm64; do
      sources+=("$IMAGES/$image@$(<"build/digests/$image-$platform")")
    done
    docker buildx imagetools create --tag "$IMAGES/$image:sha-${REVISION:0:7}" "${sources[@]}"
  done
  find_digests "sha-${REVISION:0:7}"
}

find_digests() { # tag
  local image found digests=""
  for image in "${images[@]}"; do
    found=$(digest "$IMAGES/$image:$1")
    digests+="${digests:+ }$image@$found"
  done
  echo "digests=$digests" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
}

digest() { # image:tag
  local found
  found=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}')
  [[ $found =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "error: $1 has no digest: $found" >&2 && return 1; }
  echo "$found"
}

sign() {
  local pairs pair tag
  read -ra pairs <<<"${DIGESTS:?}"
  # As a tag beside the image, the form that cosign 2 and 3 and Kyverno read. cosign 3's own form is a bundle among the referrers:
  # ghcr has no referrers API, and its fallback is not found again (sigstore/cosign#4641, kyverno/kyverno#15327).
  for pair in "${pairs[@]}"; do
    cosign sign --yes --new-bundle-format=false --use-signing-config=false "$IMAGES/$pair"
  done
  # A branch may have any name; a tag has no slash.
  for pair in "${pairs[@]}"; do
    for tag in "$(tr -c 'A-Za-z0-9_.\n-' '-' <<<"${BRANCH:?}")" $([ "$BRANCH" != main ] || echo latest); do
      docker buildx imagetools create --tag "$IMAGES/${pair%@*}:$tag" "$IMAGES/$pair"
    done
  done
}

case ${1:-} in
  merge) : "${REVISION:?the commit}" && merge ;;
  sign) sign ;;
  find) find_digests "${2:?a tag}" ;;
  *) echo "error: say merge, sign or find TAG" >&2 && exit 2 ;;
esac
