# Every target works from a fresh clone with Python 3.11+ and make, twice in a row, in a path with spaces.
# Tools run as `python -m …`: a console script's first line is the absolute path of its Python.

PYTHON ?= python3
PY := .venv/bin/python
# No compiler is assumed: wheels only. Every file that pip takes must have a hash of the lock.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes

.DEFAULT_GOAL := help
.PHONY: help install run test lint fix check lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' Makefile

install: .venv/.requirements-run .venv/.requirements-dev ## the environment alone: .venv with everything for run, test and lint

run: .venv/.requirements-run ## both services and a store on this machine; Ctrl-C stops them
	@exec $(PY) -m dev.run

test: .venv/.requirements-dev ## every test, each site under its own settings
	@rm -rf build/tests && $(PY) -m coverage erase
	@failed=0; \
	$(call pytest,users) users_site common dev/tests || failed=1; \
	$(call pytest,gateway) gateway_site common $(wildcard deploy/tests) || failed=1; \
	$(PY) -m coverage combine --quiet && $(PY) -m coverage report || failed=1; \
	exit $$failed

lint: .venv/.requirements-dev ## style, types, import rules, locks; edits nothing
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m dev.typecheck
	$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo
	$(PY) -m dev.locks

fix: .venv/.requirements-dev ## repairs what ruff can repair
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

check: lint test ## what CI runs: lint, types, tests; edits nothing

lock: .venv/.requirements-dev ## new locks from requirements*.in (needs the package index)
	$(call compile,requirements)
	$(call compile,requirements-run)
	$(call compile,requirements-dev)

pytest = $(PY) -m coverage run -m pytest --ds=$(1)_site.settings --junit-xml=build/tests/$(1).xml
compile = $(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links -o $(1).txt $(1).in

# A lock is installed once, and again when it has changed.
.venv/.%: %.txt | .venv/bin/pip
	@echo "Installing $< into .venv"
	@$(PIP_INSTALL) -r $< >.venv/pip.log 2>&1 || { \
		echo "error: $< cannot be installed: $$(grep -m 1 '^ERROR' .venv/pip.log || tail -n 1 .venv/pip.log) (more: .venv/pip.log)" >&2; \
		exit 1; }
	@touch $@

# pip comes last into a new environment: once it is there, all of it is.
.venv/bin/pip:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: Python 3.11 or newer is needed, and $(PYTHON) is not: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
		exit 1; }
	@"$(PYTHON)" -m venv .venv >/dev/null 2>&1 || { \
		echo "error: $(PYTHON) has no working venv module: on Debian and Ubuntu install python3-venv" >&2; \
		exit 1; }
