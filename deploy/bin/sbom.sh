#!/usr/bin/env bash
# The services' dependencies as CycloneDX: deploy/bin/sbom.sh, into build/supply-chain/users-gateway.cdx.json
# From an environment with requirements.txt only: ours contains test tools too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PY=${PYTHON:-.venv/bin/python}
target=build/supply-chain
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PY" -m venv --without-pip "$work/environment"
"$PY" -m pip --python "$work/environment/bin/python" install --quiet --disable-pip-version-check --only-binary :all: \
  --require-hashes -r requirements.txt
# cyclonedx-py reads no dynamic version.
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' common/__init__.py)
sed "s/^dynamic = .*/version = \"${version:?common/__init__.py has no __version__}\"/" pyproject.toml >"$work/pyproject.toml"
"$PY" -m cyclonedx_py environment --pyproject "$work/pyproject.toml" --output-reproducible --spec-version 1.6 \
  --output-file "$target/users-gateway.cdx.json" "$work/environment/bin/python"
echo "$target/users-gateway.cdx.json"
