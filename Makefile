# What there is to do with freshd. Every target makes the environment it needs; `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON_IN := $(VENV)/bin/python
BENCHES := core live ingest launch idle backtest deadlines reload scrape queries
SECONDS ?=
KAFKA ?=
SEEDS ?= 300
PYTEST ?=

.PHONY: help setup setup-dbt components test lint demo sim soak bench $(BENCHES:%=bench-%) dashboards lock clean

help: ## list the targets
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /  \1\t/' | expand -t 18

setup: ## make .venv from requirements.lock and install freshd into it (nothing to do if it stands)
	@.ci/venv $(VENV) requirements.lock
	@if ! cmp -s pyproject.toml $(VENV)/.pyproject; then \
	    $(PYTHON_IN) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .; \
	    cp pyproject.toml $(VENV)/.pyproject; \
	fi

setup-dbt: ## make .venv-dbt: dbt's pins are tight, so it has an environment of its own
	@if [ -f requirements-dbt.lock ]; then .ci/venv .venv-dbt requirements-dbt.lock; fi

components: ## install what the tests of real components need (Debian, as root), or say what is missing
	@.ci/components curl java maven openssl postgresql prometheus alertmanager node etcd go buildah debootstrap

test: setup setup-dbt components ## run every check
	@$(PYTHON_IN) -m pytest $(PYTEST)

lint: setup ## format, then check style, types and layers
	@$(PYTHON_IN) -m tests.docs.tables
	@$(PYTHON_IN) -m helm.dashboards
	@$(PYTHON_IN) -m helm.chart
	@$(VENV)/bin/ruff format -q .
	@$(VENV)/bin/ruff check -q --fix .
	@$(PYTHON_IN) -m pytest tests/tidy

demo: setup ## the daemon over examples/shop; SECONDS=40 ends by itself, KAFKA=1 goes through a real broker
	@if [ -n "$(KAFKA)" ]; then .ci/components java maven openssl; fi
	@$(VENV)/bin/freshd demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(filter-out 0,$(KAFKA)),--kafka)

sim: setup ## simulate SEEDS seeds with crashes and faults; prints a failing seed, which replays
	@$(PYTHON_IN) -m tests.sim --seeds $(SEEDS)

soak: setup components ## run the daemon under load for SECONDS (600) and watch it for leaks
	@$(PYTHON_IN) -m bench.soak --seconds $(or $(SECONDS),600)

bench: $(BENCHES:%=bench-%) ## every bench; each ends with a line of JSON

$(BENCHES:%=bench-%): bench-%: setup
	@case $* in live|ingest) .ci/components java maven openssl postgresql;; queries) .ci/components prometheus;; esac
	@$(PYTHON_IN) -m bench.$*

dashboards: setup ## make helm/freshd/dashboards/*.json from helm/dashboards
	@$(PYTHON_IN) -m helm.dashboards

lock: setup ## resolve the dependencies anew
	@$(PYTHON_IN) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv
	@.venv-lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --group dev --extra postgres --custom-compile-command "make lock" -o requirements.lock
	@.venv-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --group image --extra postgres -c requirements.lock --custom-compile-command "make lock" \
	    -o requirements-image.lock

clean: ## remove what was made here
	@rm -rf $(VENV) .venv-dbt .venv-lock .demo build dist daemon/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
