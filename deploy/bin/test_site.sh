#!/usr/bin/env bash
# The tests of one site with coverage, as `make test` runs them: deploy/bin/test_site.sh SITE
# Reports and coverage data go to build/tests; combine_coverage.sh combines both sites'.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ -d "${1:-}_site" ] || { echo "error: give one site, like users or gateway" >&2 && exit 2; }
PY=${PYTHON:-.venv/bin/python}
[ -n "${PYTHON:-}" ] || make install
rm -rf build/tests && mkdir -p build/tests
export COVERAGE_FILE="$PWD/build/tests/.coverage"
make --no-print-directory test-site SITE="$1" COVERAGE=1 PY="$PY"
