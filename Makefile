# Shortcuts. Everything here also works as `python run.py ...`, on Windows too.
PYTHON ?= python3
RUN    := .venv/bin/python
WORKERS ?= 2
SEEDS  ?= 20
SEED   ?= 0
VENUE  ?= paper
FREEZE := build/lock/bin/pip freeze --exclude tola --exclude setuptools

.DEFAULT_GOAL := help
.PHONY: help venv dev backtest test check format types bench chaos real-runs docs lock clean

help:  ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv:  ## set up .venv with the locked versions
	@$(PYTHON) run.py setup

dev:  ## the same, with what tests and checks need
	@$(PYTHON) run.py setup --dev

backtest: venv  ## run the bundled gold and Nifty plans and write a report
	@$(RUN) run.py backtest

test: dev  ## run all tests
	@$(RUN) -m pytest -n $(WORKERS) --dist loadfile

check: dev  ## format, lint, types and tests, as on the build machine
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(MAKE) --no-print-directory test

bench: dev  ## speed against other libraries into bench.json (QUICK=1: small sizes)
	@$(RUN) -m backtests.bench

chaos: dev  ## kill sessions at SEEDS seeded points from SEED on (VENUE=kite: and its fault matrix)
	@$(RUN) -m tests.chaos --venue $(VENUE) --seeds $(SEEDS) --seed $(SEED) --json chaos.json \
	  $(if $(ONLY),--only $(ONLY))

real-runs: venv  ## the table of real runs in the README, from ../shared/data
	@$(RUN) docs/real_runs.py

docs: venv  ## rewrite docs/commands.md from the commands' own help
	@$(RUN) docs/commands.py

lock:  ## write both lock files anew from pyproject.toml
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/pip install -q . && $(FREEZE) > requirements.lock
	@build/lock/bin/pip install -q '.[dev]' && $(FREEZE) > requirements-dev.lock
	@for file in requirements.lock requirements-dev.lock; do \
	  sed 's/^\(SecretStorage\|jeepney\)==.*/& ; sys_platform == "linux"/' $$file > build/kept; \
	  cp build/kept $$file; \
	  echo 'colorama==0.4.6 ; sys_platform == "win32"' >> $$file; done
	@echo 'pywin32-ctypes==0.2.3 ; sys_platform == "win32"' >> requirements-dev.lock
	@rm -rf build

clean:  ## remove what was built (never runs/ or tola.toml)
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis bench.json chaos.json
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
