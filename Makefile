# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := infra/requirements
DEMO_HOME ?= $(CURDIR)/.yihu-demo
# Telemetry stays off in every tool that has any.
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: help setup  demo test check format ui bench soak pictures lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/bin/uv: $(LOCKS)/tools.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/tools.txt
	@touch $@

$(VENV)/.core: $(VENV)/bin/uv $(LOCKS)/core.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r $(LOCKS)/core.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core $(LOCKS)/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r $(LOCKS)/dev.txt
	@touch $@

setup: $(VENV)/.core ## virtual environment, locked dependencies, the yihu command
	@$(BIN)/yihu prepare

demo: $(VENV)/.core ## a synthetic sub-district through the whole line, three months
	@YIHU_HOME=$(DEMO_HOME) $(BIN)/python -m tests.demo

test: $(VENV)/.dev ## every test
	$(BIN)/pytest -n 2 --dist loadgroup

check: $(VENV)/.dev ## format, lint, types, import rules, SQL lint, dbt parse, definitions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models
	$(BIN)/yihu check

format: $(VENV)/.dev ## rewrite the code in house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --disable-progress-bar dbt_project/models

ui: setup ## Dagster web UI and daemon on loopback
	@$(BIN)/yihu ui

bench: $(VENV)/.dev ## speed of the line as ratios to a floor measured in the same run
	@$(BIN)/python -m tests.bench

soak: $(VENV)/.dev ## kills at every operation and at random, 10,000 mutated files (hours; SOAK='--files 500 --points 20' for less)
	@$(BIN)/python -m tests.faults $(SOAK)

pictures: $(VENV)/.dev ## the README's pictures, from the demo's home (run make demo first; needs Chromium)
	@YIHU_HOME=$(DEMO_HOME) $(BIN)/python -m tests.browser.take_pictures

lock: $(VENV)/bin/uv ## resolve the dependencies again
	$(BIN)/uv pip compile pyproject.toml --extra dev --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q -o $(LOCKS)/dev.txt
	$(BIN)/uv pip compile pyproject.toml -c $(LOCKS)/dev.txt --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q -o $(LOCKS)/core.txt

clean: ## stop the embedded servers of this checkout and remove all it made
	@if [ -x $(BIN)/yihu ]; then $(BIN)/yihu stop --and-remove || true; YIHU_HOME=$(DEMO_HOME) $(BIN)/yihu stop --and-remove || true; fi
	rm -rf .yihu .yihu-demo $(VENV) dbt_project/target dbt_project/logs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
