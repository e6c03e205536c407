#!/usr/bin/env bash
# The tests of one site with coverage, as `make test` runs them: deploy/bin/test_site.sh users|gateway
# Reports and coverage data go to build/tests; combine_coverage.sh combines both sites'.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
others=(deploy/tests/pipelines deploy/tests/monitoring) # so that both sites take as long
case ${1:-} in
  users) tests=(users_site common tools/tests "${others[@]}") ;;
  gateway) tests=(gateway_site common deploy/tests "${others[@]/#/--ignore=}") ;;
  *) echo "error: give one site: users or gateway" >&2 && exit 2 ;;
esac
PY=${PYTHON:-.venv/bin/python}
[ -n "${PYTHON:-}" ] || make install
rm -rf build/tests && mkdir -p build/tests
export COVERAGE_FILE="$PWD/build/tests/.coverage"
"$PY" -m coverage run -m pytest --ds="$1_site.settings" --junit-xml="build/tests/$1.xml" "${tests[@]}"
