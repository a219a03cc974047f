# make demo runs the sample, make test the quick tests, make test-all every test. Each makes .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
# Test processes side by side. Each runs whole files, so that what a file's tests share is made once.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
export PYBAMM_DISABLE_TELEMETRY := true

.PHONY: demo test test-slow test-slurm test-all lint format clean
.NOTPARALLEL:
demo: $(STAMP)
	$(BIN)/kilocell demo

test: $(STAMP)
	$(PYTEST) $(SIDE_BY_SIDE) -m "not slow and not slurm"

test-slow: $(STAMP)
	$(PYTEST) $(SIDE_BY_SIDE) -m "slow and not slurm"

# One after the other: there is one Slurm on a machine.
test-slurm: $(STAMP)
	$(PYTEST) -m slurm

test-all: test test-slow test-slurm

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy & mypy=$$!; $(BIN)/pyright; pyright=$$?; wait $$mypy && exit $$pyright

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) kilocell-demo *.egg-info build .mypy_cache .ruff_cache .pytest_cache
