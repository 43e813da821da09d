# Two commands do everything: `make demo` and `make test`. Both install first, once.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# Real audio and tables, where this checkout has them beside it; tests that need them skip elsewhere.
GENRESCOPE_DATA ?= $(abspath $(wildcard ../shared/data))
ifneq ($(GENRESCOPE_DATA),)
export GENRESCOPE_DATA
endif

.PHONY: install demo test test-all test-fast check lint types rooms docs bench fuzz lock clean

install: $(STAMP)

# torch comes first and by itself: with it present, nothing below asks for another build of it.
$(STAMP): requirements.lock pyproject.toml $(wildcard src/genrescope/features/_*.[ch])
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "genrescope needs Python 3.11 or newer: make install PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: install
	$(BIN)/genrescope demo

# A worker per core; beyond four the longest file decides. A file stays in one worker, so that its
# fixtures are made once; files are handed out in the order of tests/conftest.py.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: install
	$(PYTEST) -m "not nightly"

test-all: install
	$(PYTEST)

test-fast: install
	$(PYTEST) -m "not slow"

# Apart, so that `make -j2 check` does two at a time.
check: docs lint types rooms

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

rooms: install
	$(BIN)/lint-imports

docs: install
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build

bench: install
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

# Every fuzzer for so many seconds of processor time; what they find goes to build/fuzz.
SECONDS ?= 60
fuzz: install
	$(BIN)/python fuzz/run.py all --seconds $(SECONDS)

# Write requirements.lock from what the newest releases allowed by pyproject.toml resolve to.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0
	build/lock/bin/pip install --quiet ".[app,cnn,dask,dev,hub,s3,tags]"
	build/lock/bin/pip freeze --exclude genrescope | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf .venv build docs/_build runs .mypy_cache .pytest_cache .ruff_cache .hypothesis
