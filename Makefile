# Every target works from a fresh clone with Python 3.11+ and make, twice in a row, in a path with spaces.
# Tools run as `python -m …`: a console script's first line is the absolute path of its Python.

PYTHON ?= python3
ENV ?= dev
PY := .venv/bin/python
# No compiler is assumed: wheels only. Every file that pip takes must have a hash of the lock.
PIP_INSTALL = $(PY) -m pip --python $(1) install --quiet --disable-pip-version-check --only-binary :all: --require-hashes

# Container images often forbid it: then each process and each worker of the tests compiles everything again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install run test test-fast mutants end-to-end lint fix check schema client docs rename new-service verify render images kind observe sbom audit bench drill lock
.PHONY: environments install-services test-site test-coverage validators verify-schema verify-deploy verify-clients verify-bench verify-browser verify-drills verify-restore verify-fuzz verify-rename verify-service

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile

install: .venv/.requirements-run .venv/.requirements-dev ## creates .venv with everything for run, test and lint

# For machines that only run the services.
install-services: .venv/.requirements

run: .venv/.requirements-run ## both services and a store on this machine; Ctrl-C stops them
	@exec $(PY) -m tools.run

# Most tests wait for a process or a clock, so there are more workers than cores. The tests of a file share a worker and its services.
test: .venv/.requirements-dev ## every test; COVERAGE=1 fails below the floor of coverage
	@rm -rf build/tests && mkdir -p build/tests && $(PY) -m coverage erase
	@failed=0; \
	$(call pytest,gateway) >build/tests/gateway.log 2>&1 & gateway=$$!; \
	$(call pytest,users) || failed=1; \
	$(foreach site,$(FURTHER),$(call pytest,$(site)) || failed=1;) \
	wait $$gateway || failed=1; cat build/tests/gateway.log; \
	$(if $(COVERAGE),$(PY) -m coverage combine --quiet && $(PY) -m coverage report || failed=1;) \
	exit $$failed

# The tests of one site, for pipelines that run both sites in parallel.
test-site:
	@$(call pytest,$(SITE))

test-fast: .venv/.requirements-dev ## the tests that start no process and do not wait, in seconds
	@$(FAST) -n 6 --dist loadfile --ds=gateway_site.settings gateway_site common packages/http_pool packages/preflight & gateway=$$!; \
	$(FAST) --ds=users_site.settings users_site packages/redis_pipe tools/tests --ignore=users_site/tests/api --ignore=users_site/tests/management; failed=$$?; wait $$gateway && exit $$failed

mutants: .venv/.requirements-mutants ## the mutants of the core that survive the tests; takes hours, for a release
	@$(call mutate,users,users_site/tests/repository packages/redis_pipe,users_site.repository*)
	@$(call mutate,gateway,gateway_site/tests/forwarding gateway_site/tests/guard common/tests,gateway_site.* common.*)

end-to-end: .venv/.requirements-dev ## the end-to-end tests on a running gateway: make end-to-end URL=http://localhost:3000
	@deploy/bin/end_to_end.sh "$(URL)"

lint: .venv/.requirements-dev ## style, types, import rules, locks, words; edits nothing
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m tools.lint.typecheck
	$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo
	$(PY) -m tools.lint.locks
	$(PY) -m tools.lint.words

fix: .venv/.requirements-dev ## applies ruff's automatic fixes
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

check: lint test-coverage ## what CI runs: lint, types, tests with coverage; edits nothing

test-coverage:
	@$(MAKE) --no-print-directory test COVERAGE=1

schema: .venv/.requirements-run ## writes docs/openapi and docs/reference from the code
	@$(foreach site,gateway users $(FURTHER),$(call spectacular,$(site)) &&) \
	$(foreach site,$(FURTHER),cp docs/openapi/$(site).yaml deploy/kustomize/components/$(site) &&) $(PY) -m tools.docs.reference

client: .venv/.requirements-verify ## typed clients for Python, TypeScript, Go and Java in build/clients
	@$(PY) -m tools.clients

docs: .venv/docs/.requirements-docs ## the pages of docs/ as a site in build/site; fails on a broken link
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/python -m mkdocs build

rename: .venv/.requirements-dev ## your names instead of the template's: make rename NAME=acme ORG=acme-inc
	@$(PY) -m tools.rename "$(NAME)" "$(ORG)" && $(PY) -m ruff check --fix-only --quiet && $(PY) -m ruff format --quiet

new-service: .venv/.requirements-dev ## a service of your own behind the gateway, with tests and manifests: make new-service NAME=orders
	@$(PY) -m tools.new_service "$(NAME)" && $(PY) deploy/bin/monitoring_component.py && $(PY) -m ruff check --fix-only --quiet && $(PY) -m ruff format --quiet && $(MAKE) --no-print-directory schema

# Two at a time: each uses one core, or waits. The drills have bounds, so they run alone.
verify: environments validators ## slow checks: docs, manifests, rules, workflows, breaking changes, clients, benchmarks, browser, drills, attacks, restore, fuzzing, rename, new service
	@$(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(VERIFY)
	@$(MAKE) --no-print-directory verify-drills

# The longest first.
VERIFY = verify-deploy verify-rename verify-browser verify-clients verify-service verify-restore verify-fuzz verify-bench verify-schema docs

verify-schema: validators .venv/.requirements-dev
	$(call verify,schema) tools/tests/test_schema.py

verify-deploy: validators .venv/.requirements-verify .venv/policy/.requirements-policy
	$(call verify,deploy) deploy/tests

# Builds the validators that are Go programs in build/validators, if Go is installed. The others are wheels.
validators: .venv/.requirements-verify
	@$(PY) deploy/bin/validators.py

verify-clients: .venv/.requirements-verify
	$(call verify,clients) tools/tests/test_clients.py

verify-bench: .venv/.requirements-dev
	$(call verify,bench) tools/tests/test_bench.py

verify-browser: .venv/.requirements-verify
	$(call verify,browser) gateway_site/tests/browser

# Also the attack tests that wait half a minute: the drills wait too.
verify-drills: .venv/.requirements-dev
	@$(call verify,attacks) common & attacks=$$!; \
	$(PY) -m tools.drills --quick; failed=$$?; wait $$attacks || failed=1; exit $$failed

# -s prints the time and count of each step.
verify-restore: .venv/.requirements-dev
	$(call verify,restore) -s --ds=users_site.settings users_site/tests/management

# FUZZ_SECONDS (for each site), FUZZ_SEED: see tools/fuzz/__main__.py.
verify-fuzz: .venv/.requirements-verify
	$(PY) -m tools.fuzz

verify-rename: .venv/.requirements-dev
	$(call verify,rename) tools/tests/test_rename.py

verify-service: .venv/.requirements-verify
	$(call verify,service) tools/tests/test_new_service.py

render: ## prints an overlay's manifests: make render ENV=dev|staging|prod
	@[ -d "deploy/kustomize/overlays/$(ENV)" ] || { echo "error: no overlay $(ENV): set ENV to dev, staging or prod" >&2; exit 1; }
	@kubectl kustomize "deploy/kustomize/overlays/$(ENV)"

images: .venv/.requirements-dev ## both images with docker or podman, and their tests
	deploy/bin/images.sh

kind: .venv/.requirements-dev ## deploys and tests dev on a cluster in Docker, which KEEP=1 keeps; needs docker, kind, kubectl
	@deploy/bin/kind.sh

observe: .venv/.requirements-run ## Prometheus and Alertmanager with our rules, for a running `make run`
	@exec $(PY) -m deploy.monitoring.observe

sbom: .venv/.requirements-verify ## CycloneDX of the services' dependencies, in build/supply-chain
	@PYTHON=$(PY) deploy/bin/sbom.sh

audit: sbom ## licences and known vulnerabilities; fails if the vulnerability source is unreachable
	@$(PY) deploy/bin/audit.py

bench: .venv/.requirements-run ## benchmarks of this machine, in bench/results/; BENCH=guards|scale|routes: the cost of guards, of users and partitions, of routes
	@$(PY) -m bench.$(or $(BENCH),run) $(ARGS)

drill: .venv/.requirements-dev ## fault drills: restarts, kills, cuts, floods; a table in build/drills
	@$(PY) -m tools.drills $(DRILLS)

lock: .venv/.requirements-dev ## writes the locks of requirements*.in; needs the package index
	$(call compile,requirements)
	$(call compile,requirements-run)
	$(call compile,requirements-dev)
	$(call compile,requirements-verify)
	$(call compile,requirements-policy)
	$(call compile,requirements-mutants)
	$(call compile,requirements-docs)

# Made by new-service.
FURTHER = $(filter-out gateway users,$(patsubst manage_%.py,%,$(wildcard manage_*.py)))
# Both sites have the same server: its tests run with the gateway, and some with each site.
TESTS_gateway = gateway_site common packages/http_pool packages/preflight deploy/tests --ignore=deploy/tests/pipelines
TESTS_users = users_site packages/redis_pipe tools/tests deploy/tests/pipelines common/tests/openapi $(EACH_SITE:%=common/tests/test_%.py)
EACH_SITE = commands health logs metrics_labels overload problems request_id body_limit client_disconnect
pytest = $(PY) $(if $(COVERAGE),-m coverage run) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --ds=$(1)_site.settings --junit-xml=build/tests/$(1).xml $(or $(TESTS_$(1)),$(1)_site)
JOBS ?= 4
FAST = $(PY) -m pytest -p tests.fast -m 'not slow and not verify'
mutate = PYTEST_ADDOPTS="--ds=$(1)_site.settings $(2)" $(PY) -m mutmut run $(3); $(PY) -m mutmut results
# -rs: names each skipped test with the missing program.
verify = $(PY) -m pytest --ds=gateway_site.settings -m verify -rs --junit-xml=build/tests/verify-$(1).xml
# With AUTH=none a credential is optional in the schema; the other settings are required, and no schema depends on them.
spectacular = DEBUG=true AUTH=none USER_SERVICE_URL=http://unused REDIS_URL=redis://unused $(PY) manage_$(1).py spectacular --file docs/openapi/$(1).yaml
compile = $(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links -o $(1).txt $(1).in

# They can run in parallel (-j): each has its own folder and log.
environments: .venv/.requirements-verify .venv/policy/.requirements-policy .venv/docs/.requirements-docs

# It has all pins of these two (tools/lint/locks.py): one run of pip instead of three.
.venv/.requirements-verify: requirements-verify.txt | .venv/bin/pip
	@$(call install,.venv) && touch .venv/.requirements-run .venv/.requirements-dev

# A lock is installed once, and again when it has changed.
.venv/.%: %.txt | .venv/bin/pip
	@$(call install,.venv)

# checkov and pip-audit conflict: checkov has its own environment inside ours, filled by our pip. So has MkDocs.
.venv/policy/.%: %.txt | .venv/bin/pip
	@$(call own,.venv/policy)

.venv/docs/.%: %.txt | .venv/bin/pip
	@$(call own,.venv/docs)

own = $(PY) -m venv --without-pip $(1) && $(call install,$(1))

install = echo "Installing $< into $(1)"; \
	$(PIP_INSTALL) -r $< >$(1)/pip.log 2>&1 || { \
		echo "error: $< cannot be installed: $$(grep -m 1 '^ERROR' $(1)/pip.log || tail -n 1 $(1)/pip.log) (more: $(1)/pip.log)" >&2; \
		exit 1; }; \
	touch $@

# pip is installed last into a new environment: if it exists, the environment is complete.
.venv/bin/pip:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: Python 3.11 or newer is needed, and $(PYTHON) is not: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
		exit 1; }
	@"$(PYTHON)" -m venv .venv >/dev/null 2>&1 || { \
		echo "error: $(PYTHON) has no working venv module: on Debian and Ubuntu install python3-venv" >&2; \
		exit 1; }
