# Everything runs in .venv, which is made on first use and again when what it is made of changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check lint soak guards bench screenshots

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*##/  make \1:/p' $(MAKEFILE_LIST)

demo: $(READY)  ## three strategies on real bars and a run to step by hand, in the app
	@$(BIN)/stepdeck demo

test: $(READY)  ## the tests; ARGS go to pytest
	$(BIN)/python -m pytest $(ARGS)

check: lint test  ## format, lint, types, import contracts, tests

lint: $(READY)  ## all of that but the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(READY)  ## faults and properties at their full counts, into tests/faults/SOAK.md; ARGS name files
	@$(BIN)/python -m tests.faults.soak $(ARGS)

guards: $(READY)  ## delete the ledger's guards one by one; each must turn a test red
	@$(BIN)/python -m tests.faults.delete_guards $(ARGS)

bench: $(READY)  ## the figures, with the machine they were measured on
	@for file in tests/bench/[!_]*.py; do name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m tests.bench.$$name || exit 1; done

screenshots: $(READY)  ## the pictures of the README
	$(BIN)/python screenshots/make.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "stepdeck needs Python 3.11 or newer; this is %s: make PYTHON=python3.12 …" % sys.version.split()[0])'
	@# A folder without pip is what a Debian without python3-venv leaves behind.
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,fast]'
	@touch $@
