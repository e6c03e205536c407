#!/usr/bin/env bash
# The end-to-end tests against a running gateway: deploy/bin/end_to_end.sh http://localhost:3000
# They create their own users and delete them. SMOKE_API_KEY or SMOKE_API_KEY_FILE if the gateway requires an API key.
# PYTHON   a Python with requirements-dev.txt (.venv/bin/python)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[[ ${1:-} =~ ^https?://[^/]+/?$ ]] || { echo "error: say which gateway, like http://localhost:3000" >&2 && exit 2; }
END_TO_END_URL=$1 exec "${PYTHON:-.venv/bin/python}" -m pytest --ds=gateway_site.settings \
  gateway_site/tests/end_to_end
