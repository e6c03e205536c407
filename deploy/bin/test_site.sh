#!/usr/bin/env bash
# The tests of one site with coverage, as `make test` runs them: deploy/bin/test_site.sh users|gateway
# Reports and coverage data go to build/tests; combine_coverage.sh combines both sites'.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case ${1:-} in
  users | gateway) ;;
  *) echo "error: give one site: users or gateway" >&2 && exit 2 ;;
esac
PY=${PYTHON:-.venv/bin/python}
[ -n "${PYTHON:-}" ] || make install
rm -rf build/tests && mkdir -p build/tests
export COVERAGE_FILE="$PWD/build/tests/.coverage"
make --no-print-directory test-site SITE="$1" COVERAGE=1 PY="$PY"
