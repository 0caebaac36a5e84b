# The commands of this project. `make run` serves it, `make test` proves it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/tools
MANAGE := $(BIN)/python manage.py
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
SOURCES := chat inference tests vlsite manage.py setup.py
# Two workers, a file at a time; a third one gains nothing on two cores. In the order of collection, which puts
# the browser's tests last. One thread of torch each: more wait for each other busily, and examining the demo
# model took 210 s instead of 32.
PARALLEL_PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
# Tests that start programs, or examine hundreds of files.
SLOW_FOLDERS := attack browser chat/decoding inference/bench server
# Debian's packages for many instances, by a command of each.
STORES := redis-server postgres caddy
# Peers, their conversions of the model and our packed weights: tens of gigabytes.
VL_BENCH_DIR ?= data/bench
# As the packages come with theirs: where PYTHONDONTWRITEBYTECODE is set, each start would compile ours for a third of a second.
WRITE_BYTECODE := $(BIN)/python -m compileall -q chat inference vlsite
KERNELS := $(wildcard inference/engine/kernels/src/*)

.DEFAULT_GOAL := help
.PHONY: help run run-multi secrets test quick lint types scripts browser bench bench-ui faults attack audit fix lock hashes clean

help: ## Show the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt setup.py $(KERNELS) | $(BIN)/python
	@echo "Installing the packages (a few minutes the first time) …"
	$(PIP) --editable .
	@$(WRITE_BYTECODE)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable ".[test]"
	@touch $@

run: $(VENV)/.installed ## Install what is needed and serve the product.
	@$(MANAGE) prepare --verbosity 0
	@exec $(MANAGE) serve

run-multi: $(VENV)/.installed ## Serve from many instances on this machine: stores, web processes, workers, proxy.
	@tests/install_system_packages.sh $(STORES)
	@exec $(MANAGE) run_multi

secrets: ## Make the secrets of docker-compose.yml.
	@vlsite/deploy/make_secrets.sh

test: ## Install what the tests need and run all of them.
	@tests/install_system_packages.sh chromium node npm g++ $(STORES)
	@$(MAKE) --no-print-directory $(VENV)/.installed-test
	@$(MAKE) --no-print-directory lint types scripts
	$(PARALLEL_PYTEST) -q $(PYTEST_OPTIONS)

quick: $(VENV)/.installed-test tests/js/node_modules/.installed ## The inner loop: no browser, no server, no Redis, nothing slow.
	@$(MAKE) --no-print-directory lint
	cd tests/js && node --test --test-reporter=dot
	$(PARALLEL_PYTEST) -q $(SLOW_FOLDERS:%=--ignore=tests/%) -m "not redis and not multi and not slow and not reference"

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check --quiet $(SOURCES)
	$(BIN)/ruff check --quiet $(SOURCES)
	$(BIN)/lint-imports >/dev/null || $(BIN)/lint-imports
	$(MANAGE) makemigrations --check --dry-run --verbosity 0

types: $(VENV)/.installed-test
	$(BIN)/mypy $(SOURCES)

tests/js/node_modules/.installed: tests/js/package.json tests/js/package-lock.json
	cd tests/js && npm ci --silent --no-audit --no-fund
	@touch $@

scripts: tests/js/node_modules/.installed ## Check the page's scripts: lint, types, unit tests.
	cd tests/js && npm run --silent lint && npm run --silent types
	cd tests/js && node --test --test-reporter=dot

browser: $(VENV)/.installed-test ## The browser tests alone.
	$(BIN)/pytest -m browser

bench: $(VENV)/.installed ## Our engine against its peers: make bench MODEL=folder, or QUICK=1.
	@$(WRITE_BYTECODE)
	$(BIN)/python -m inference.bench --folder $(VL_BENCH_DIR) \
		$(if $(MODEL),--model $(MODEL)) $(if $(QUICK),--quick)

faults: $(VENV)/.installed-test ## Inject every fault in full and print the figures: make faults SHARE=0.1.
	@tests/install_system_packages.sh $(STORES)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults $(if $(SHARE),--share $(SHARE)) $(if $(SEED),--seed $(SEED))

attack: $(VENV)/.installed-test ## Attack it in full and print the figures: make attack SHARE=0.1 FOLDER=pictures.
	@tests/install_system_packages.sh chromium $(STORES)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.attack $(if $(SHARE),--share $(SHARE)) $(if $(SEED),--seed $(SEED)) \
		$(if $(FOLDER),--folder $(FOLDER)) $(if $(ONLY),--only $(ONLY))

bench-ui: $(VENV)/.installed-test tests/js/node_modules/.installed ## Measure the page in a browser: sizes, paint, long conversations, text, memory, axe.
	@tests/install_system_packages.sh chromium
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench_ui $(if $(ONLY),--only $(ONLY))

fix: $(VENV)/.installed-test ## Format, and mend what can be mended mechanically.
	$(BIN)/ruff format --quiet $(SOURCES)
	$(BIN)/ruff check --fix --quiet $(SOURCES)

$(TOOLS)/.installed: $(MAKEFILE_LIST) | $(BIN)/python
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --disable-pip-version-check --quiet uv==0.13.9 pip-audit==2.10.1
	@touch $@

audit: $(VENV)/.installed-test $(TOOLS)/.installed ## Ask for known weaknesses of every pinned package.
	@$(TOOLS)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off \
		--format json --output $(TOOLS)/audit.json 2>/dev/null || test -s $(TOOLS)/audit.json
	@$(BIN)/python -m tests.supply $(TOOLS)/audit.json

lock: $(VENV)/.installed-test ## Pin what is installed now, with hashes.
	@{ sed -n 1p constraints.txt; $(BIN)/pip freeze --exclude-editable | sed 's/ @ .*//; s/+cpu$$//'; } \
		> constraints.new && mv constraints.new constraints.txt
	@$(MAKE) --no-print-directory hashes

hashes: $(TOOLS)/.installed ## Bring requirements.lock into step with pyproject.toml and constraints.txt.
	@$(BIN)/python -c 'import tomllib; print(*(line for line in tomllib.load(open("pyproject.toml", "rb")) \
		["project"]["dependencies"] if not line.startswith("torch")), sep="\n")' > $(TOOLS)/needed.txt
	@{ echo "# What an installation needs but torch, with hashes. Refresh: make hashes."; \
		$(TOOLS)/bin/uv pip compile --quiet --python-version 3.11.14 --generate-hashes --no-header --no-annotate \
		--constraint constraints.txt $(TOOLS)/needed.txt; } > requirements.new && mv requirements.new requirements.lock

clean: ## Remove the virtual environment; the data folder stays.
	rm -rf $(VENV)
