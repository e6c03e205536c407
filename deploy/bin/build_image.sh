#!/usr/bin/env bash
# Builds one image for this machine's platform and pushes it without a name: deploy/bin/build_image.sh STAGE amd64|arm64
# Attaches SBOM and provenance. Writes its digest to build/digests/IMAGE-PLATFORM; publish_images.sh names both platforms.
#   IMAGES    ghcr.io/OWNER
#   REVISION  the commit
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
image=$(deploy/bin/image_names.sh | awk -v stage="${1:-}" '$1 == stage { print $2 }')
[ -n "$image" ] || { echo "error: give a stage of deploy/Dockerfile, like gateway, and a platform" >&2 && exit 2; }
[[ ${2:-} =~ ^(amd64|arm64)$ ]] || { echo "error: give a platform, amd64 or arm64" >&2 && exit 2; }
IMAGES=${IMAGES:?ghcr.io/OWNER} REVISION=${REVISION:?the commit}
name=${IMAGES,,}/$image # registries accept lower case only
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' common/__init__.py)

mkdir -p build/digests
# The default builder can neither attest nor push by digest.
docker buildx inspect users-gateway >/dev/null 2>&1 || docker buildx create --name users-gateway --driver docker-container
docker buildx build --builder users-gateway --file deploy/Dockerfile --target "$1" --platform "linux/$2" \
  --build-arg VERSION="$version" --build-arg REVISION="$REVISION" \
  --build-arg SOURCE="https://github.com/${GITHUB_REPOSITORY:-devops-challenge/users-gateway}" \
  --sbom=true --provenance=mode=max \
  --cache-from "type=registry,ref=$name:cache-$2" --cache-to "type=registry,ref=$name:cache-$2,mode=max" \
  --output "type=image,name=$name,push-by-digest=true,name-canonical=true,push=true" --metadata-file build/metadata.json .
python3 -c 'import json; print(json.load(open("build/metadata.json"))["containerimage.digest"])' >"build/digests/$image-$2"
