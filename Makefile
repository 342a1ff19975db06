# Two commands do all the set-up: `make demo` and `make test`. Everything runs in .venv; nothing is installed elsewhere.
PYTHON ?= python3
# Which build of torch is the user's choice: TORCH_ARGS is handed to pip (README, "CPU or CUDA").
TORCH_ARGS ?=
UV := .venv/bin/uv
UV_VERSION := 0.13.9
# What a shell may have set against compiled bytecode would make every start slow.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
STAMP := .venv/.installed-by-make
TEST_STAMP := .venv/.installed-for-tests

.PHONY: help demo test test-quick test-system lint types layers check format lock hooks bench bench-gpu golden up down clean
help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(STAMP): requirements.txt requirements-torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Python 3.11 or newer is needed; {sys.executable} is {v.major}.{v.minor}. Name another: make PYTHON=python3.12 ...")'
	@echo "==> .venv: 275 pinned and hashed packages, compiled at once (a minute), then torch"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --require-hashes --compile-bytecode -r requirements.txt
	.venv/bin/python -m pip install --disable-pip-version-check --no-input $(TORCH_ARGS) -r requirements-torch.txt
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	.venv/bin/python -m pip check
	@touch $(STAMP)

# Triton runs the GPU kernels' tests in its interpreter; 700 MB that a demo does not need.
$(TEST_STAMP): $(STAMP) requirements-test.txt
	@echo "==> what only tests need"
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --require-hashes -r requirements-test.txt
	@touch $(TEST_STAMP)

env: $(STAMP)  ## Build .venv from pinned versions

demo: $(STAMP)  ## Raw text to promoted word vectors and a small BERT, on small real corpora
	@firth run

# A file's tests share what is costly to make, so that a file stays with one worker.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile

test: $(TEST_STAMP)  ## All tests but those that need servers, a browser or kills
	pytest $(SIDE_BY_SIDE) -m "not system"

test-quick: $(TEST_STAMP)  ## What answers within 90 seconds
	pytest $(SIDE_BY_SIDE) -m "not system and not slow and not registry"

# What makes clones and watches them by the clock has the machine to itself.
test-system: $(STAMP)  ## Servers, browser, kills, clones, larger data
	pytest $(SIDE_BY_SIDE) -m system --ignore tests/e2e
	pytest -m system tests/e2e

lint: $(STAMP)
	ruff format --check
	ruff check

types: $(STAMP)
	mypy

layers: $(STAMP)
	lint-imports

check: lint types layers  ## Lint, types and layers

format: $(STAMP)
	ruff format
	ruff check --fix

hooks: $(STAMP)  ## Install the pre-commit hooks
	pre-commit install

bench: $(STAMP)  ## Side by side with gensim and transformers
	python -m bench.word2vec --quick
	python -m bench.bert --quick

bench-gpu: $(TEST_STAMP)  ## What needs an NVIDIA GPU: tests, then speed; figures in build/gpu
	bash bench/gpu.sh build/gpu

golden: $(TEST_STAMP)  ## Keep the golden losses of the first 200 steps anew, after a change that is meant to change them
	python -m tests.support.golden_losses

up: $(STAMP)  ## Prefect, MLflow and a worker on this machine
	@firth up

down: $(STAMP)  ## Stop them
	@firth down

lock: $(STAMP)  ## Resolve requirements.in anew
	$(UV) pip compile requirements.in --universal --python-version 3.11 --generate-hashes --quiet --upgrade \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.all
	.venv/bin/python infra/lock.py requirements.all requirements.txt
	rm requirements.all

clean:  ## Remove the environment and caches, never data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache src/*.egg-info
