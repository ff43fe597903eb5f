# Two commands set everything up on a machine that has Python and make:
#   make demo   install, fetch the models, ingest the sample documents, answer three questions
#   make test   install with the development extra, then lint, type-check and test

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_STORE ?= examples/store

# The last one is not answered by the documents.
DEMO_QUESTIONS := \
	"How much memory does bunzip2 need to decompress a file of the default block size?" \
	"How many databases can be attached to one SQLite connection?" \
	"Which compression level does Zstandard use by default?"

.DEFAULT_GOAL := help
.PHONY: help demo test lint models bench wheel clean

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
	$(BIN)/ragmem ingest examples/data --store $(DEMO_STORE)
	@for question in $(DEMO_QUESTIONS); do \
		echo; echo "ragmem ask \"$$question\" --store $(DEMO_STORE)"; \
		$(BIN)/ragmem ask "$$question" --store $(DEMO_STORE) || exit 1; \
	done

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint models
	$(BIN)/pytest

# BENCH_DATA=FILE.jsonl measures on texts of your own.
BENCH_DATA ?=
bench: $(VENV)/dev models
	$(BIN)/python benchmarks/imports.py
	$(BIN)/python benchmarks/ingest.py $(if $(BENCH_DATA),--data $(BENCH_DATA))
	$(BIN)/python benchmarks/search.py --chunks 10000 100000 $(if $(BENCH_DATA),--data $(BENCH_DATA))

wheel: $(VENV)/core
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist $(DEMO_STORE)
