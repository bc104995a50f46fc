# `make` alone prints the targets. Each sets up what it needs; none needs root, Redis or Docker.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=

.PHONY: help run test lint types check bench chaos fuzz audit sbom lock clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp  ## start the whole system: Valkey, a worker, pods on ports 8000 and 8001
	$(BIN)/taskreel up --pods 2 $(ARGS)

test: check  ## lint, types and every test; what CI runs
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not alone and not browser" --server all --cov --cov-report= $(ARGS)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m browser $(ARGS)
	$(BIN)/python -m pytest -m alone --cov --cov-append --cov-report=term --cov-fail-under=95 $(ARGS)

check: lint types  ## lint and types alone

lint: $(VENV)/dev.stamp  ## ruff and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp  ## pyright, strict
	$(BIN)/basedpyright

bench: $(VENV)/bench.stamp  ## measure: first byte, idle cost, replay, append, tenants, fan-out
	$(BIN)/python -m bench $(ARGS)

chaos: $(VENV)/dev.stamp  ## kill, pause, block and cut off what runs, and look at what the logs tell
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(VENV)/dev.stamp  ## draw hostile input at random, 20 times as much as `make test` does
	TASKREEL_DRAWS=random TASKREEL_FUZZ_CASES=500 $(BIN)/python -m pytest -n 2 tests/fuzz tests/secrets/test_redaction.py tests/test_log_machine.py tests/test_fan_out_machine.py $(ARGS)

audit: $(VENV)/dev.stamp  ## ask OSV what is known against the locked requirements
	$(BIN)/python .ci/audit.py $(ARGS)

sbom: $(VENV)/dev.stamp  ## list the locked requirements in dist/taskreel.cdx.json (CycloneDX)
	@mkdir -p dist
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml --sv 1.6 --of JSON --output-reproducible --validate -o dist/taskreel.cdx.json

lock: $(VENV)/dev.stamp  ## resolve the dependencies anew (names and hashes only)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 --group build pyproject.toml -o requirements.txt $(ARGS)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 --group build --group dev pyproject.toml -c requirements.txt -o requirements-dev.txt $(ARGS)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 --group bench -c requirements-dev.txt -o requirements-bench.txt $(ARGS)

clean:  ## remove the virtual environment and the embedded server's data
	rm -rf $(VENV) .taskreel .bench dist .pytest_cache .ruff_cache .import_linter_cache .coverage .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Taskreel needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt pyproject.toml | $(BIN)/python
	@echo "installing what the lock names into $(VENV); this takes a moment, once"
	$(PIP) install --require-hashes -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/bench.stamp: requirements-bench.txt $(VENV)/dev.stamp
	$(PIP) install --require-hashes -r requirements-bench.txt
	@touch $@
