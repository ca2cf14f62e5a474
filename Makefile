# Everything runs from this file; a fresh machine needs git, make and Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
PYTEST := $(BIN)/pytest -p no:cacheprovider
PARALLEL := -n 2
MEASURED := $(BIN)/python -m slipcover --source orchestrator,adapters,lambdas

.PHONY: install demo test covered others check lint format types unit contract functional asl infra generate package bench clean

install: .venv/.installed node_modules/.installed ## install what the project needs

.venv/.installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip 'setuptools<81' # parliament still imports pkg_resources
	$(BIN)/pip install --quiet --no-deps --no-compile -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -W ignore -m compileall -qq -j 0 .venv/lib || true # on all processors; some packages carry what is no Python 3
	touch $@

node_modules/.installed: .venv/.installed package.json package-lock.json
	$(BIN)/npm ci --silent
	touch $@

demo: install ## move the demo shop to the other Region, in the embedded AWS
	$(BIN)/dr local demo

test: install ## all tests; the deployed hub mostly waits, so something that computes runs beside it
	$(MAKE) -j 2 covered functional contract others lint types

covered: install
	$(MEASURED) --json --out .coverage.json -m pytest -p no:cacheprovider tests/unit tests/adapters $(PARALLEL)
	$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --fail-under 85

others: install
	$(PYTEST) tests/localaws tests/statemachines tests/infra tests/cli tests/docs $(PARALLEL)

check: lint types ## the fast gate, under a minute: unit and contract tests but those marked exhaustive
	$(PYTEST) tests/unit tests/contract -m "not exhaustive" $(PARALLEL)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: install
	$(BIN)/mypy

unit: install
	$(PYTEST) tests/unit $(PARALLEL)

contract: install
	$(PYTEST) tests/contract $(PARALLEL)

functional: install
	$(PYTEST) tests/functional $(PARALLEL)

asl: install
	$(PYTEST) tests/statemachines

infra: install
	$(PYTEST) tests/infra

generate: install ## rewrite what is generated and checked in
	$(BIN)/python -m infra.spoke
	$(BIN)/python -m infra.probe
	$(BIN)/python -m cli.main manifest schema > docs/manifest.schema.json
	$(BIN)/python -m tests.docs.readme
	$(BIN)/python -m tests.docs.run_input
	$(BIN)/python -m tests.contract.cards

package: install ## build the functions for AWS
	$(BIN)/python -m infra.package --target aws

bench: install ## measurements as JSON
	@for each in benchmarks/*.py; do PYTHONPATH=$(CURDIR) $(BIN)/python $$each || exit 1; done

clean:
	rm -rf .venv node_modules dist cdk.out .demo .local
