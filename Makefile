# Run `make help` to list the targets.

PYTHON_BIN := .venv/bin
# The packages and modules with shape annotations, which `make shapes` checks.
SHAPES := fittingroom.models,fittingroom.data.images,fittingroom.data.seq2seq.batches,fittingroom.evaluation.predict,fittingroom.training.optim
UNIT := $(wildcard tests/unit tests/contract tests/numerics)

# pytest rewrites the assertions of all test files. It keeps the result between runs unless this variable forbids it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
ifndef TOGETHER
.NOTPARALLEL:
endif
.PHONY: help setup data browser compare lint types imports quick package-types fast-unit unit shapes integration test test-slow bench tables notebook lecture claims docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## create .venv with pinned dependencies, or update it
	@scripts/setup.sh

data: setup ## find Fashion-MNIST, download it, or install Debian's package
	@scripts/data.sh

compare: data ## train vit, cnn and hybrid on Fashion-MNIST; show a table, write a report (options: ARGS="--seeds 3")
	@$(PYTHON_BIN)/fittingroom compare --preset quick $(ARGS)

# The type checker uses one core, so the unit tests start beside it.
test: lint imports data ## run all checks of CI: style, types, import rules and tests (under six minutes)
	@$(MAKE) --no-print-directory --jobs 2 TOGETHER=1 types unit
	@$(MAKE) --no-print-directory integration

lint: setup ## check style and formatting with ruff
	$(PYTHON_BIN)/ruff check .
	$(PYTHON_BIN)/ruff format --check .

types: setup ## check type hints with basedpyright
	$(PYTHON_BIN)/basedpyright

imports: setup ## check imports between packages with import-linter
	$(PYTHON_BIN)/lint-imports --no-logo

quick: lint imports data ## a minute: style, import rules, types of the package and the fast unit tests
	@$(MAKE) --no-print-directory --jobs 2 TOGETHER=1 package-types fast-unit

package-types:
	$(PYTHON_BIN)/basedpyright src

fast-unit:
	$(PYTHON_BIN)/python -m pytest -m "not slow and not thorough" --numprocesses 2 --dist loadfile tests/unit

unit: data ## run the unit, contract and numeric tests
	$(PYTHON_BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile $(UNIT)

shapes: data ## run the unit tests with array shapes checked at every call, and with more random examples
	EXAMPLES=many $(PYTHON_BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile --jaxtyping-packages=$(SHAPES),beartype.beartype $(UNIT)

# These tests often wait for processes and browsers, so three workers keep two cores busy. Keep the order of the files (see
# tests/conftest.py): pytest-xdist would start files with few tests last, and some of these take longest.
integration: data browser ## run the other tests
	$(PYTHON_BIN)/python -m pytest -m "not slow" --numprocesses 3 --dist loadfile --no-loadscope-reorder $(UNIT:%=--ignore=%) tests

test-slow: shapes browser ## run `shapes` and the slow tests (minutes each)
	$(PYTHON_BIN)/python -m pytest -m slow tests

bench: data ## time against other libraries (20 minutes), then explanations and sequences, into results/bench/ (short: ARGS=--quick)
	@scripts/peers.sh
	$(PYTHON_BIN)/python -m lab.benchmarks.speed $(ARGS)
	$(if $(ARGS),,$(PYTHON_BIN)/python lab/benchmarks/explaining.py)
	$(if $(ARGS),,$(PYTHON_BIN)/python -m lab.benchmarks.sequences)
	$(if $(ARGS),,$(PYTHON_BIN)/python -m lab.benchmarks.claims)

notebook: setup ## write docs/notebooks/homework.ipynb from homework.py
	$(PYTHON_BIN)/jupytext --to ipynb --quiet docs/notebooks/homework.py

lecture: data ## run all lessons in docs/lecture/ from top to bottom (one: ARGS=08)
	cd docs/lecture && ../../$(PYTHON_BIN)/python -m lesson.execute $(ARGS)

claims: data ## run the experiments of docs/lecture/claims.md without a record (90 minutes; one: ARGS=heads)
	$(PYTHON_BIN)/python lab/claims.py $(ARGS)

docs: data ## build the site into build/site, with the lecture executed; warnings are errors
	$(PYTHON_BIN)/python -m sphinx -W --keep-going -q -b html docs build/site
	@echo "open build/site/index.html"

tables: setup ## update the tables in README and docs from the records in results/
	$(PYTHON_BIN)/python -m lab.published_tables

clean: ## remove .venv, .venv-peers and caches; keep runs/
	rm -rf .venv .venv-peers build docs/_generated .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests lab -name __pycache__ -type d -prune -exec rm -rf {} +

# `make help` does not list `browser`: only the tests need it.
browser: setup
	@scripts/browser.sh
