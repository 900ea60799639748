# Needs make and Python 3.10 or newer, nothing else. A .venv that exists already is used as it is.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

BENCH := .venv-bench
RELEASE := .venv-release
SITE := .venv-site
ORACLES := .venv-oracles
GENERATORS := $(sort $(wildcard tools/generate_*.py))

.PHONY: demo test oracles lint audit bench fuzz generate gallery lock release-check site clean

# modellint exits with 1 when it has found something, which is what the examples are for,
# so here 1 is a success too. Anything else (2: usage, 3: internal error) fails the target.
demo: $(VENV)/.installed
	$(BIN)/modellint examples/ --target a10 || test $$? -eq 1

# ARGS goes to pytest: make test ARGS="tests/rules -x"
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup --ignore=tests/benchmarks --ignore=tests/oracles $(ARGS)

# Other vendors' programs, run for real: tests/oracles/prepare.py installs what they need first.
oracles: $(VENV)/.installed-dev
	$(BIN)/python -m tests.oracles.prepare
	$(BIN)/python -m pytest tests/oracles -q -n 2 --dist loadgroup $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Known vulnerabilities of everything in the lock. It asks PyPI, so it is no part of .ci/run.
audit: $(VENV)/.installed-dev
	$(BIN)/python $(PIP) --group audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

# On their own, without coverage and without a second worker: both would be in the figures.
bench: $(BENCH)/.installed-bench
	$(BENCH)/bin/python -m pytest tests/benchmarks -q

# Hostile files; other ones with: make fuzz SEED=7 COUNT=100000 ARGS="--keep found"
SEED ?= 0
COUNT ?= 5000

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz --jobs 2 --seed $(SEED) --count $(COUNT) $(ARGS)

# Everything in the repository that is made from something else in it.
generate: $(VENV)/.installed-dev
	@for each in $(GENERATORS); do echo $$each; $(BIN)/python $$each || exit 1; done

# HTML reports of real architectures, in build/gallery, and the picture of one in the README.
gallery: $(VENV)/.installed-dev
	$(BIN)/python tools/make_gallery.py

lock: $(VENV)/.installed-dev
	$(BIN)/python tools/lock.py

# A release, but for publishing it: docs/releasing.md. ARGS="--tag v1.2.3" for a real one.
release-check: $(RELEASE)/.installed
	$(RELEASE)/bin/python tools/release.py make $(ARGS)

# The documentation, in build/site: every warning is an error, and no page fetches from others.
site: $(SITE)/.installed
	$(SITE)/bin/mkdocs build --config-file packaging/site/mkdocs.yml
	$(SITE)/bin/python tools/check_site.py

clean:
	rm -rf $(VENV) $(BENCH) $(RELEASE) $(SITE) $(ORACLES) build dist

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

PIP := -m pip install --quiet --disable-pip-version-check
PACKAGES := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
LOCKED := --editable '.[ort,remote,trt-rtx]' --constraint constraints.txt

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python $(PIP) --upgrade "pip>=25.1"  # the first that knows --group
	$(BIN)/python $(PIP) $(LOCKED) --group dev
	@touch $(VENV)/.installed $@

# An environment of its own: the peers that modellint is timed against bring packages along,
# and tests must not pass because of those. It sees all packages of the other one.
$(BENCH)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m venv --clear --without-pip $(BENCH)
	echo "import site; site.addsitedir('$$($(BIN)/python $(PACKAGES))')" \
	  > "$$($(BENCH)/bin/python $(PACKAGES))/dev.pth"
	$(BENCH)/bin/python $(PIP) --constraint constraints.txt --group bench
	@touch $@

# On their own, so that what builds a release or the site is only what building takes.
$(RELEASE)/.installed $(SITE)/.installed: .venv-%/.installed: pyproject.toml constraints.txt | .venv-%/bin/python
	.venv-$*/bin/python $(PIP) --upgrade "pip>=25.1"
	.venv-$*/bin/python $(PIP) --editable . --constraint constraints.txt --group $*
	@touch $@

# "|| rm": a virtual environment without pip (Debian without python3-venv) must not be taken for one.
%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "modellint needs Python 3.10 or newer; name one with: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $* || { rm -rf $*; exit 1; }
