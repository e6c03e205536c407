#!/usr/bin/env bash
# Publishes a tag: deploy/bin/release.sh v1.2.3, after `make sbom client`. It builds nothing: the images that main's deployment
# built and signed for this commit get the version as another name, so the release is what was tested and runs.
#   IMAGES, REVISION, REPOSITORY   ghcr.io/OWNER, the tag's commit, OWNER/NAME; GH_TOKEN for gh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tag=${1:?a tag, like v1.2.3}
IMAGES=${IMAGES:?ghcr.io/OWNER} REVISION=${REVISION:?the commit} REPOSITORY=${REPOSITORY:?OWNER/NAME}
folder=build/release
rm -rf "$folder" && mkdir -p "$folder"

python3 deploy/bin/release_notes.py "$tag" >"$folder/notes.md"
GITHUB_OUTPUT="$folder/digests" deploy/bin/publish_images.sh find "sha-${REVISION:0:7}"
read -ra images < <(sed -n 's/^digests=//p' "$folder/digests")

for image in "${images[@]}"; do
  cosign verify --new-bundle-format=false "${IMAGES,,}/$image" --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity "https://github.com/$REPOSITORY/.github/workflows/images.yaml@refs/heads/main" \
    --certificate-github-workflow-sha "$REVISION" >/dev/null
done
for image in "${images[@]}"; do
  docker buildx imagetools create --tag "${IMAGES,,}/${image%@*}:${tag#v}" "${IMAGES,,}/$image"
done

for schema in docs/openapi/*.yaml; do
  cp "$schema" "$folder/openapi-${schema##*/}"
done
cp build/supply-chain/users-gateway.cdx.json "$folder/"
for client in python typescript; do
  tar -czf "$folder/client-$client.tar.gz" --exclude node_modules --exclude .mypy_cache -C build/clients "$client"
done
{
  printf '\n## Images\n\n'
  printf -- '- %s\n' "${images[@]/#/${IMAGES,,}/}"
} >>"$folder/notes.md"
(cd "$folder" && sha256sum -- *.yaml *.cdx.json *.tar.gz >SHA256SUMS)
cosign sign-blob --yes --bundle "$folder/SHA256SUMS.sigstore.json" "$folder/SHA256SUMS"
prerelease=()
[[ $tag != *-* ]] || prerelease=(--prerelease)
gh release create "$tag" --repo "$REPOSITORY" --verify-tag --title "$tag" --notes-file "$folder/notes.md" "${prerelease[@]}" \
  "$folder"/*.yaml "$folder"/*.cdx.json "$folder"/*.tar.gz "$folder"/SHA256SUMS*
