# What a contributor and CI run. Everything happens in .venv and .real; nothing is installed on
# the system. `make test` on a fresh clone is enough to begin with.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
RUN := $(VENV)/bin
# The workers of one run must agree on the names of tests, which may print sets.
PYTEST := PYTHONHASHSEED=0 $(RUN)/python -m pytest
# The newest Python that is 3.11 or later and can make a virtual environment.
PYTHON ?= $(shell .ci/python.sh)
TESTS ?= tests
BASE := $(VENV)/.base
READY := $(VENV)/.ready
WORKLOADS ?= A,B,C,D,E

.PHONY: help test lint unit docs demo bench real-servers test-all clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 22

test: lint unit docs ## Lint, types, import contracts, all quick tests with the coverage gate, docs

lint: $(READY) ## Style, types, import contracts, spelling
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache
	$(RUN)/codespell

unit: $(READY) ## All quick tests with the coverage gate
	$(PYTEST) $(TESTS) -m "not slow" -n 2 --dist loadfile --cov --cov-report=term

docs: $(READY) ## Build the documentation; a warning is an error
	$(RUN)/sphinx-build -W --keep-going -n -q -b html -d docs/_build/doctrees docs docs/_build/html

demo: $(BASE) ## Replicate between two registries inside one process and show what happened
	$(RUN)/python -m harborsync demo

bench: $(READY) ## Measure the workloads named in WORKLOADS
	$(RUN)/python -m benchmarks.run --workloads $(WORKLOADS) $(BENCH)

real-servers: ## Fetch docker-registry, skopeo, crane and the like into .real
	.ci/real_servers.sh

test-all: $(READY) ## Slow tests, other Pythons, oldest and newest dependencies, the built wheel
	.ci/test_all.sh

clean: ## Remove what was built; the environments stay
	rm -rf dist docs/_build .coverage .coverage.* .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

# The package with its own dependencies, nothing else: what `make demo` needs.
$(BASE): pyproject.toml .ci/install.sh
	.ci/install.sh "$(PYTHON)" $(VENV) -e .
	@touch $@

# The stamp saves an installation on each call; a changed pyproject.toml renews it.
$(READY): $(BASE)
	.ci/install.sh "$(PYTHON)" $(VENV) -e ".[all]" --group test --group lint --group docs
	@touch $@
