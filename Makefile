# shinken-ha: `make` prints the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONFIG ?= -c etc/shinken.cfg -c etc/shinken-specific.cfg
SERVER ?=
WORKDIR ?=
DRILL ?=
SEEDS ?= 200
ARGS := $(CONFIG) $(if $(SERVER),--server $(SERVER)) $(if $(WORKDIR),--workdir $(WORKDIR))

.DEFAULT_GOAL := help
.PHONY: help setup demo start stop status restart verify test test-deps lint types imports cluster scorecard soak sim bench coverage mutation check fmt clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment with all dependencies, as locked

$(READY): requirements.lock pyproject.toml
	@bash tools/make-venv.sh $(PYTHON) $(VENV)
	@touch $@

demo: $(READY) ## three servers on this machine and the console; DRILL=1: kill server1 and judge the failover
	@$(BIN)/python -m daemons.cli.demo $(if $(DRILL),--drill)

start: $(READY) ## start this server's keeper and daemons (CONFIG, SERVER, WORKDIR)
	@$(BIN)/shinken start $(ARGS)

stop: $(READY) ## stop this server's daemons
	@$(BIN)/shinken stop $(ARGS)

restart: $(READY) ## stop, then start
	@$(BIN)/shinken restart $(ARGS)

status: $(READY) ## the cluster: who leads, every role's master and spare
	@$(BIN)/shinken status $(ARGS)

verify: $(READY) ## check the configuration
	@$(BIN)/shinken verify $(CONFIG)

test: $(READY) test-deps ## all tests but the slow ones and those in network namespaces
	@$(BIN)/python -m pytest -n 2 -m "not slow and not cluster" tests

scorecard: $(READY) test-deps ## the scenarios of docs/scorecard.md, with figures (ONLY=F1,F3 RUNS=20 LONG=1; as root)
	@$(BIN)/python -m tests.cluster $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS)) $(if $(LONG),--long)

soak: $(READY) test-deps ## random faults for HOURS=1 on real processes, then the judge (SEED=7; as root)
	@$(BIN)/python -m tests.cluster.soak $(if $(HOURS),--hours $(HOURS)) $(if $(SEED),--seed $(SEED))

cluster: $(READY) test-deps ## real processes in network namespaces, broken in every way (as root)
	@$(BIN)/python -m pytest -n 0 -m "cluster and not slow" tests/cluster

test-deps: ## install the system packages the tests need (as root, with apt)
	@bash tools/test-deps.sh

lint: $(READY) ## ruff
	@$(BIN)/ruff check console daemons retention tests

fmt: $(READY) ## format
	@$(BIN)/ruff format console daemons retention tests

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

imports: $(READY) ## who may import whom
	@$(BIN)/lint-imports

sim: $(READY) ## the whole cluster in one process under faults, SEEDS=200
	@SEEDS=$(SEEDS) $(BIN)/python -m pytest -n 2 -q tests/sim -m "not live"

bench: $(READY) ## cost per check, loading, memory (minutes; ONLY=p1|p4|p10|scale|spawn)
	@$(BIN)/python -m tests.bench $(ONLY)

coverage: $(READY) ## the rules' branches that no test takes (none may be left)
	@$(BIN)/coverage run -m pytest -q -n 0 tests/rules
	@$(BIN)/coverage report

mutation: $(READY) ## mistakes planted in the rules, one by one: how many the tests catch (ONLY=daemons.rules.state*; a quarter of an hour)
	@$(BIN)/python -m tools.mutation $(ONLY)

check: lint types imports test sim ## everything that CI runs

clean: ## remove caches and the virtual environment
	@rm -rf $(VENV) mutants .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
