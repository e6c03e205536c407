#!/usr/bin/env bash
# Reports the sites' coverage together, and fails below the floor of pyproject.toml: deploy/bin/combine_coverage.sh FOLDER
# FOLDER contains the results of test_site.sh at any depth; the HTML pages go to FOLDER/html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ -d "${1:-}" ] || { echo "error: give the folder with coverage's data" >&2 && exit 2; }
PY=${PYTHON:-.venv/bin/python}
[ -n "${PYTHON:-}" ] || make install
mapfile -t data < <(find "$1" -type f -name '.coverage.*')
[ "${#data[@]}" -gt 0 ] || { echo "error: $1 holds no coverage data" >&2 && exit 1; }
export COVERAGE_FILE="$1/.coverage"
"$PY" -m coverage combine --keep --quiet "${data[@]}"
"$PY" -m coverage html --quiet --fail-under=0 -d "$1/html"
"$PY" -m coverage report
