# `make help` lists what there is. All needs Python >= 3.11, git and make; the rest is installed.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
INSTALLED := $(VENV)/installed
OPTBENCH := $(VENV)/bin/optbench

.DEFAULT_GOAL := help
.PHONY: help setup reproduce best readme paper test test-slow test-gpu lint bench audit licences lock

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED) $(OPTBENCH) ## Make the virtual environment and install the locked packages

reproduce: setup ## Bring the chosen workload up to date: train what changed, report; JOBS=4: at once
	@optbench repro --jobs $(or $(JOBS),1)

best: setup ## Take the best trials of all studies into the rooms' params.yaml
	optbench best

readme: setup ## Put the current verdicts and results table into README
	optbench readme

paper: setup ## Set a short paper (PDF) from the reports that are there
	optbench paper

test: lint ## Lint, check types, run the tests
	pytest -n auto -m "not slow and not slurm and not cuda"

test-slow: setup ## Run the slow tests: real data, minutes of training
	pytest -m "slow and not slurm and not cuda"

test-gpu: setup ## Run what is promised of CUDA, on one card: some minutes
	@python -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else \
	  "make test-gpu needs a GPU: torch " + torch.__version__ + " sees none; see nvidia-smi")'
	pytest -m cuda

lint: setup ## Lint (ruff), check types (mypy) and that imports run one way
	ruff check .
	ruff format --check .
	mypy
	@PYTHONPATH=src lint-imports

bench: export PYTHONPATH = src:.
bench: setup ## Images per second, K-FAC's step, checkpoints, many studies; needs CIFAR-10
	python benchmarks/throughput.py
	python benchmarks/loading.py
	python benchmarks/second_order.py
	python benchmarks/checkpointing.py
	python benchmarks/scaling.py
	python benchmarks/studies.py
	python benchmarks/usage.py

audit: setup ## Look for known holes in the locked packages; fails where one could not be looked up
	@optbench audit

licences: setup ## List the licences of the locked packages; fails where one does not allow any use
	@optbench licences

lock: ## Pin all packages with hashes; needs uv
	uv pip compile --universal --fork-strategy fewest --generate-hashes --python-version 3.11 \
	  --extra dev --extra scaling --extra tensorboard --no-header \
	  --output-file requirements.lock pyproject.toml

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python >= 3.11 is needed; name it: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing the locked packages into $(VENV): some 7 GB on Linux, once"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements.lock
	@touch $@

# It runs the code of the project that the caller stands in.
$(OPTBENCH): $(INSTALLED)
	@printf '#!/bin/sh\nexec "%s" "%s" "$$@"\n' "$(CURDIR)/$(VENV)/bin/python" \
	  "$(CURDIR)/src/optbench/cli/launch.py" > $@
	@chmod +x $@
