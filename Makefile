# Two commands set everything up on a machine that has Python and make:
#   make demo   install, fetch the models, ingest the sample documents, answer three questions
#   make test   install with the development extra, then lint, type-check and test

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_STORE ?= examples/store

.DEFAULT_GOAL := help
.PHONY: help demo test lint models wheel clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

models: $(VENV)/core
	@$(BIN)/ragmem models pull

demo: models
	@$(BIN)/python examples/demo.py --store $(DEMO_STORE)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint models
	$(BIN)/pytest

wheel: $(VENV)/core
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist $(DEMO_STORE)
