# The targets and what they do: `make help`.

PYTHON_BIN := .venv/bin
# The packages and files whose annotations name shapes; tests under the folders below run with every annotation there checked,
# the others run the package as users get it.
SHAPES := fittingroom.models,fittingroom.data,fittingroom.evaluation.predict,fittingroom.training.optim
SHAPE_CHECKED := $(wildcard tests/unit tests/contract tests/numerics)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup data browser compare lint types imports quick unit integration test test-slow bench tables notebook clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with pinned dependencies; skipped when up to date
	@scripts/setup.sh

data: setup ## obtain Fashion-MNIST: found, downloaded or from Debian's package
	@scripts/data.sh

compare: data ## train vit, cnn and hybrid on Fashion-MNIST; table and report (options: ARGS="--seeds 3")
	@$(PYTHON_BIN)/fittingroom compare --preset quick $(ARGS)

test: lint types imports unit integration ## lint, types, import rules and tests: all that CI checks

lint: setup ## style and formatting, by ruff
	$(PYTHON_BIN)/ruff check .
	$(PYTHON_BIN)/ruff format --check .

types: setup ## type hints, by basedpyright
	$(PYTHON_BIN)/basedpyright

imports: setup ## which package may import which, by import-linter
	$(PYTHON_BIN)/lint-imports --no-logo

quick: lint types imports data ## a minute: style, types, import rules and the fast unit tests
	$(PYTHON_BIN)/python -m pytest -m "not slow and not thorough" --numprocesses 2 tests/unit

unit: data ## tests of the parts, with array shapes checked at every call
	$(PYTHON_BIN)/python -m pytest -m "not slow" --numprocesses 2 --jaxtyping-packages=$(SHAPES),beartype.beartype $(SHAPE_CHECKED)

# In the order of the files: pytest-xdist would begin those of fewest tests last, and some of these take two minutes each.
integration: data browser ## tests of the whole, as users get it
	$(PYTHON_BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder $(SHAPE_CHECKED:%=--ignore=%) tests

test-slow: data browser ## the tests that take minutes each
	$(PYTHON_BIN)/python -m pytest -m slow tests

bench: data ## speed beside other libraries, a quarter of an hour, then of explanations and sequences; writes results/bench/ (a try: ARGS=--quick)
	@scripts/peers.sh
	$(PYTHON_BIN)/python -m lab.benchmarks.speed $(ARGS)
	$(if $(ARGS),,$(PYTHON_BIN)/python lab/benchmarks/explaining.py)
	$(if $(ARGS),,$(PYTHON_BIN)/python -m lab.benchmarks.sequences)
	$(if $(ARGS),,$(PYTHON_BIN)/python -m lab.benchmarks.claims)

notebook: setup ## write docs/notebooks/homework.ipynb from its text
	$(PYTHON_BIN)/jupytext --to ipynb --quiet docs/notebooks/homework.py

tables: setup ## write the published tables into README and docs from the records in results/
	$(PYTHON_BIN)/python lab/published_tables.py

clean: ## remove .venv, .venv-peers and caches; runs/ stays
	rm -rf .venv .venv-peers .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests lab -name __pycache__ -type d -prune -exec rm -rf {} +

# Its recipe lies outside `make help`: `browser` only serves the tests.
browser: setup
	@scripts/browser.sh
