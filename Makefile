# Everything sets itself up: a fresh clone needs nothing but Python 3.11 or newer.
# The first of these that is there: for 3.14 the stores of the embedded stack are not built yet (dbz/extras.py).
PYTHON ?= $(firstword $(foreach one,python3 python3.13 python3.12 python3.11,$(shell $(one) -c \
  'import sys; print("$(one)" if (3, 11) <= sys.version_info < (3, 14) else "")' 2>/dev/null)) python3)
BIN := .venv/bin
READY := .venv/.ready
# Processes that run tests: most tests wait, for a load to end or a program to start.
export TESTERS ?= 4

# Compiled files are kept, whatever the runner says: hundreds of commands that the tests start would compile dbz anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help load test coverage node-packages torture soak chaos fuzz lint format bench docs site pictures pins audit sbom clean

help:  ## List the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

load: $(READY)  ## Run the default load against the embedded stack and judge it.
	@$(BIN)/dbz load

# A test that fails beside others, on a machine that may be busy with something else, is run once more by itself.
test: $(READY) node-packages  ## Run the whole test suite.
	@$(BIN)/pytest -q -n $(TESTERS) --dist loadfile --no-loadscope-reorder || { \
	  test $$? -eq 1 && echo "Failed beside others; now by themselves:" && \
	  $(BIN)/pytest -q --last-failed --last-failed-no-failures none; }

# Before the tests, in which its minutes on a slow line would be those of one test. Without Node those tests are skipped.
node-packages:
	@command -v npm >/dev/null || exit 0; for folder in tests/node clients/node; do \
	  test $$folder/node_modules/.package-lock.json -nt $$folder/package-lock.json || \
	  { (cd $$folder && npm ci --no-audit --no-fund --loglevel=error >/dev/null) && \
	    touch $$folder/node_modules/.package-lock.json; } || exit 1; done

# Far slower than the tests alone. A test that fails for that reason has reached nearly all that it reaches otherwise.
coverage: $(READY) node-packages  ## Say for each package which of its branches the tests take; FOLDERS="load runs" for some tests.
	@$(BIN)/python -m tests.coverage

torture: $(READY)  ## Run every test with whole matrices and each command started anew, 200 faults at moves between shards, 100 kills in sagas.
	@DBZ_WHOLE_MATRIX=1 $(BIN)/pytest -q -n $(TESTERS) --dist loadfile --no-loadscope-reorder --ignore tests/shards/test_torture.py \
	  --ignore tests/server/test_sagas_apart.py
	@DBZ_TORTURE_ROUNDS=$${DBZ_TORTURE_ROUNDS:-200} DBZ_TORTURE_SEED=$${DBZ_TORTURE_SEED:-$$(date +%s)} \
	  DBZ_SAGA_ROUNDS=$${DBZ_SAGA_ROUNDS:-100} \
	  $(BIN)/pytest -q -s -o faulthandler_timeout=0 tests/shards/test_torture.py tests/server/test_sagas_apart.py

soak: $(READY)  ## Half an hour of load with kills: nothing grows, every second is there; SECONDS=180 for less.
	@$(BIN)/python -m tests.soak

chaos: $(READY)  ## Rounds of trouble for the cache, scaling by hand, by phase and by itself, 40 each; DBZ_CHAOS_ROUNDS=5 for less.
	@DBZ_CHAOS_ROUNDS=$${DBZ_CHAOS_ROUNDS:-40} DBZ_CHAOS_SEED=$${DBZ_CHAOS_SEED:-$$(date +%s)} \
	  $(BIN)/pytest -q -s -o faulthandler_timeout=0 tests/chaos

# The fuzzer comes as a wheel for Linux only, so it is no part of what everybody installs.
fuzz: $(READY)  ## Fuzz every reader for ten minutes, led by coverage; SECONDS=60 NAMES=trace,packet for less.
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@$(BIN)/python -m tests.fuzz

lint: $(READY)  ## Check style, types, import rules and generated documentation.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet || { echo "run: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/python docs/generate.py --check

format: $(READY)  ## Put the code into its standard form.
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --fix --quiet

bench: $(READY)  ## Measure dbz against its peers, one after the other.
	@for benchmark in benchmarks/bench_*.py; do $(BIN)/python $$benchmark || exit 1; done

docs: $(READY)  ## Generate the command reference and the tables in the README from the program.
	@$(BIN)/python docs/generate.py

site: $(BIN)/.site  ## Build the site from docs/ into build/site, and check its links; a warning is an error.
	@rm -rf build/site && $(BIN)/sphinx-build -E -q -W --keep-going -c docs/site -d build/doctrees docs build/site
	@$(BIN)/python docs/site/check.py build/site

# Sphinx is no part of what everybody installs: only the site needs it.
$(BIN)/.site: $(READY)
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

pictures: $(READY)  ## Make the pictures of the documentation from a real run (LOAD=smoke for a short one); needs a Chromium.
	@$(BIN)/python docs/site/pictures.py $(LOAD)

# What makes and checks a release is no part of what everybody installs.
RELEASE := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check \
  --editable '.[release]'

pins: $(READY)  ## Write the installed versions to constraints.txt, and with the hashes of their files to requirements/.
	@$(RELEASE)
	@$(BIN)/pip freeze --exclude-editable --exclude pip --exclude setuptools | grep '==' > constraints.txt
	@for name in core load embedded all; do \
	  $(BIN)/uv pip compile pyproject.toml $$(test $$name = core || echo --extra $$name) --constraint constraints.txt \
	    --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet \
	    --output-file requirements/$$name.txt || exit 1; done

audit: $(READY)  ## Ask whether a vulnerability of a pinned package is known; Error 1: some are, Error 3: nobody could be asked.
	@$(RELEASE)
	@$(BIN)/python requirements/audit.py

sbom: $(READY)  ## Write what a release is made of to dist/, as CycloneDX.
	@$(RELEASE)
	@$(BIN)/python requirements/sbom.py dist

clean:  ## Remove what the targets above have made.
	rm -rf .venv
	find reports -mindepth 1 ! -name README.md -delete

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "dbz needs Python 3.11 or newer: make PYTHON=python3.11"; exit 2; }
	@echo "Setting up .venv (a minute, once) …" >&2
	@$(PYTHON) -m venv .venv
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[embedded,dev]'
	@touch $(READY)
