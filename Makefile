# Everything made here stays in .venv, node_modules, build, cdk.out and .local.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
UV_VERSION := 0.13.8
UV := .venv/bin/uv
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export CDK_DISABLE_CLI_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup demo chaos up down test bench build deploy lock

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/made node_modules/made ## Install everything, as locked

.venv/made: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip sync --quiet requirements.lock
	$(UV) pip install --quiet --no-deps --editable .
	@touch $@

node_modules/made: package-lock.json .venv/made
	npm ci --silent --no-audit --no-fund
	@touch $@

demo: setup ## Play the story on a local AWS; ONCE=1 ends by itself, PROVIDERS=all connects every provider instead
	@tributary demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(PROVIDERS),--providers $(PROVIDERS))

chaos: setup ## A week of PEOPLE=200 in bad weather on a local AWS, DAYS=7, SEED=1; every record is counted
	@tributary chaos --people $(or $(PEOPLE),200) --days $(or $(DAYS),7) --seed $(or $(SEED),1)

up: setup ## Start a local system that stays up
	@tributary up

down: setup ## Stop what `make up` started
	@tributary down

test: setup ## Lint, types, all tests
	ruff check
	ruff format --check
	mypy
	pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: setup build/wheels/here/made ## Measure, and print targets beside results
	@python -m bench

build: setup build/wheels/lambda/made ## Bundle the functions for AWS, and print what each carries
	@python -m infra.bundle

# Lambda runs Python 3.13 on arm64, whatever this machine is, and has glibc 2.34. The benches measure the same here.
build/wheels/lambda/made: TARGET := --python-platform aarch64-manylinux_2_28 --python-version 3.13 --only-binary :all:
build/wheels/%/made: requirements.lock pyproject.toml .venv/made
	rm -rf $(@D)
	$(UV) pip install --quiet --target $(@D) $(TARGET) --no-compile-bytecode --link-mode copy \
		--constraint requirements.lock --requirement pyproject.toml --extra parquet
	@cp requirements.lock $@

deploy: setup build ## Deploy to the AWS account you are signed in to; ARGS="-c name=value"
	node_modules/.bin/cdk deploy --no-notices $(ARGS)

lock: .venv/made ## Resolve pyproject.toml again
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra dev pyproject.toml --output-file requirements.lock
