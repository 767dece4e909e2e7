# Everything runs from .venv, which every target makes first; nothing needs to be installed but Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench soak fuzz oracles lock clean

setup: .venv/.done

.venv/.done: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Tranche needs Python 3.11 to 3.13, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

demo: setup
	$(BIN)/tranche demo

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/tranche bench all

# Simulations with new seeds for so many minutes.
MINUTES ?= 60
soak: setup
	$(BIN)/python -m tests.simulation --minutes $(MINUTES) --first $$(date +%s)

# Mutated documents of real loans, with new seeds.
DOCUMENTS ?= 1000000
fuzz: setup
	$(BIN)/python -m tests.fuzz --documents $(DOCUMENTS) --seed $$(date +%s)

# Random loans through the assessor's columns and through plain implementations of one loan.
LOANS ?= 1000000
oracles: setup
	$(BIN)/python -m tests.oracles --loans $(LOANS) --seed $$(date +%s)

lock:
	uv pip compile --universal --python-version 3.11 --all-extras --no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .tranche build *.egg-info
