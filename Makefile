# Needs make and Python 3.10 or newer, nothing else. A .venv that exists already is used as it is.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint clean

# modellint exits with 1 when it has found something, which is what the examples are for,
# so here 1 is a success too. Anything else (2: usage, 3: internal error) fails the target.
demo: $(VENV)/.installed
	$(BIN)/modellint examples/ --target a10 || test $$? -eq 1

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup --ignore=tests/benchmarks

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"  # the first that knows --group
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(VENV)/.installed $@

# "|| rm": a virtual environment without pip (Debian without python3-venv) must not be taken for one.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "modellint needs Python 3.10 or newer; name one with: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
