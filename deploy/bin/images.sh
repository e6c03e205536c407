#!/bin/sh
# Builds the images and tests them: deploy/bin/images.sh [TAG]
#
#   ENGINE        docker or podman; the first that is there
#   BUILD         the build command, if it is not "$ENGINE build"
#   PYTHON_BASE   a base image other than the Dockerfile's
#   REVISION      the commit; default: from git
set -eu
cd "$(dirname "$0")/../.."
tag=${1:-local}
ENGINE=${ENGINE:-$(command -v docker || command -v podman || true)}
[ -n "$ENGINE" ] || { echo "neither docker nor podman is on PATH: install one, or set ENGINE" >&2; exit 1; }
[ -n "${BUILD:-}" ] || "$ENGINE" info >/dev/null 2>&1 || { echo "$ENGINE does not answer: start its daemon" >&2; exit 1; }
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' common/__init__.py)
revision=${REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
source=$(git config --get remote.origin.url 2>/dev/null || true)

build() { # target name
  # shellcheck disable=SC2086 # BUILD may be a command and its options
  ${BUILD:-$ENGINE build} --file deploy/Dockerfile --target "$1" --tag "$2:$tag" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg SOURCE="$source" \
    ${PYTHON_BASE:+--build-arg PYTHON_BASE="$PYTHON_BASE"} .
}

deploy/bin/image_names.sh | while read -r target name; do
  build "$target" "devops-challenge/$name" </dev/null
done
build store devops-challenge/store
ENGINE=$ENGINE IMAGES=$tag exec "${PYTHON:-.venv/bin/python}" -m pytest --ds=gateway_site.settings deploy/tests/images
