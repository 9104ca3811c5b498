# Everything works on a fresh clone: each target makes .venv and installs what it needs.
#   make demo [DATA=folder] [RIDERS=n] [SEED=n]    make test [DATA=folder] [ARGS="-k words"]
#   make soak [TIMES=n] [SEED=n] [ARGS="tests/fares"]

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

DATA ?=
RIDERS ?=
SEED ?=
TIMES ?= 10
ARGS ?=
ifneq ($(strip $(DATA)),)
export TRANSITPAY_DATA := $(abspath $(DATA))
endif

.PHONY: test heavy soak demo lint types bench docs install clean

# A worker for each core, each with a PostgreSQL of its own.
test: $(VENV)/.dev
	$(BIN)/pytest -m "not heavy and not demo" --numprocesses auto --dist worksteal $(ARGS)

# What needs more than a minute, with readers and rasterisers that nothing else needs.
heavy: $(VENV)/.heavy
	$(BIN)/pytest -m "heavy or demo" $(ARGS)

# The place of luck: every property and every list of seeds with TIMES times as many, drawn anew.
soak: SEED := $(or $(SEED),$(shell date +%s))
soak: $(VENV)/.dev
	@echo "make soak TIMES=$(TIMES) SEED=$(SEED)"
	SOAK=$(TIMES) SOAK_SEED=$(SEED) $(BIN)/pytest -m "(hypothesis or seeded) and not heavy" \
		--hypothesis-seed=$(SEED) --numprocesses auto --dist worksteal $(ARGS)

demo: $(VENV)/.demo
	$(BIN)/transitpay demo $(if $(DATA),--data "$(DATA)") $(if $(RIDERS),--riders $(RIDERS)) \
		$(if $(SEED),--seed $(SEED)) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev
	@set -e; for script in $(filter-out bench/_%,$(wildcard bench/*.py)); do \
		echo "== $$script" >&2; $(BIN)/python $$script $(ARGS); done

docs: $(VENV)/.dev
	$(BIN)/python -m transitpay.cli.reference > docs/reference/cli.md

install: $(VENV)/.dev

# One stamp each: what is installed is installed again only when pyproject.toml changes.
$(VENV)/.dev: pyproject.toml $(VENV)/.made
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/.demo $@

$(VENV)/.heavy: pyproject.toml $(VENV)/.made
	$(PIP) --editable '.[dev,heavy]'
	@touch $(VENV)/.dev $(VENV)/.demo $@

$(VENV)/.demo: pyproject.toml $(VENV)/.made
	$(PIP) --editable '.[demo,recon]'
	@touch $@

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "make: no $(PYTHON): install Python 3.11 or newer, or say make PYTHON=..."; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is too old: install Python 3.11 or newer, or say make PYTHON=..."; exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "make: $(PYTHON) has no venv module: install your system's python3-venv package"; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Leaves .transitpay alone: it holds keys and a database.
clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
