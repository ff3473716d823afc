# Everything a contributor runs. `make help` lists it. Needs git, make and Python 3.11 or newer with its venv module.

.DEFAULT_GOAL := help
.PHONY: help demo test test-programs topology chaos lint bench lock schema empty-database clean install install-dev venv git
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check
SOURCES := parallel_workers flows blocks deployments tests benchmarks

# Compiled modules make every start quicker, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport VIRTUAL_ENV

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS='	' read -r target what; do printf '  make %-15s %s\n' "$$target" "$$what"; done

demo: install ## install, then carry out examples/demo/tasks.yml and show what came of it
	@$(PYTHON) examples/demo/run.py

test: install-dev test-programs ## install with the development tools, then run the tests
	$(PYTHON) -m pytest -n 4 $(PYTEST_OPTIONS)

# PostgreSQL, Redis and nginx from Debian, started and stopped by the test itself; minutes, so not part of `make test`.
TOPOLOGY_PACKAGES := postgresql redis-server nginx
topology: install-dev ## two servers, two machines, PostgreSQL, Redis; 40 tasks while one of each is killed
	@[ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { \
		apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $(TOPOLOGY_PACKAGES) >/dev/null; }
	$(PIP) install --quiet --no-deps --require-hashes --requirement deployments/scale-out.lock
	PARALLEL_WORKERS_TOPOLOGY_TASKS=$${PARALLEL_WORKERS_TOPOLOGY_TASKS:-40} $(PYTHON) -m pytest -q -s tests/e2e/test_shown_topology.py

chaos: install-dev ## kill -9 the engine at every named point and at random times, on the fake GitHub too; then cause every fault
	$(PYTHON) -m tests.chaos
	$(PYTHON) -m tests.chaos.faults

lint: install-dev ## style, types and import contracts
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports

bench: install-dev ## measure speed-up, cost per task, memory and start-up; writes bench-results.json
	$(PYTHON) -m benchmarks

schema: install-dev ## write docs/batch.schema.json anew
	$(PYTHON) -m parallel_workers.cli.main schema > docs/batch.schema.json

empty-database: install-dev ## write deployments/empty_database.sql anew with the installed Prefect
	$(PYTHON) -m deployments.write_empty_database

# The two locks agree: the development one is made with the other as its constraint.
LOCK := $(PYTHON) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-header
lock: install-dev ## resolve the newest allowed versions into requirements.lock and requirements-dev.lock
	rm -f $(VENV)/new.lock $(VENV)/new-dev.lock
	$(LOCK) --group build --output-file $(VENV)/new.lock
	$(LOCK) --group dev --constraint $(VENV)/new.lock --output-file $(VENV)/new-dev.lock
	{ echo '# What the product runs on, with the hash of every file. Written by `make lock`.'; cat $(VENV)/new.lock; } > requirements.lock
	{ echo '# requirements.lock and the development tools. Written by `make lock`.'; cat $(VENV)/new-dev.lock; } > requirements-dev.lock

clean: ## remove the virtual environment and everything that was built or cached
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache bench-results.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each lock is its own constraint, too: else pip takes a pin of `sqlalchemy` for no pin of the `sqlalchemy[asyncio]` that
# Prefect asks for, as soon as there is a newer one.
install: venv ## the virtual environment with what the product runs on
	@cmp -s requirements.lock $(VENV)/installed.lock || cmp -s requirements-dev.lock $(VENV)/installed-dev.lock || { \
		echo 'installing requirements.lock …' && \
		$(PIP) install --quiet --require-hashes --requirement requirements.lock --constraint requirements.lock && \
		cp requirements.lock $(VENV)/installed.lock; }
	@$(install_project)

install-dev: venv git ## the same with the development tools
	@cmp -s requirements-dev.lock $(VENV)/installed-dev.lock || { \
		echo 'installing requirements-dev.lock …' && \
		$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock --constraint requirements-dev.lock && \
		cp requirements-dev.lock $(VENV)/installed-dev.lock; }
	@$(install_project)

define install_project
cmp -s pyproject.toml $(VENV)/installed.toml || { \
	$(PIP) install --quiet --no-deps --no-build-isolation --editable . && \
	cp pyproject.toml $(VENV)/installed.toml; }
endef

# Made anew when its Python is gone or when the folder was moved: a virtual environment holds absolute paths.
venv: git
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or newer is needed; name one: make PYTHON3=python3.12 …' >&2; exit 1; }
	@if ! $(PYTHON) -m pip --version >/dev/null 2>&1 || [ "$$(cat $(VENV)/made-in 2>/dev/null || pwd)" != "$$(pwd)" ]; then \
		rm -rf $(VENV); \
		$(PYTHON3) -m venv $(VENV) || { \
			rm -rf $(VENV); echo 'Python has no venv module here (Debian: apt-get install python3-venv)' >&2; exit 1; }; \
		pwd > $(VENV)/made-in; \
	fi

# The tests and the demo need git; everything else comes from the lock files.
git:
	@command -v git >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends git >/dev/null; } || { \
		echo 'git is needed' >&2; exit 1; }

# What some tests call. Tests without theirs are skipped; root on Debian gets them here, with no service started.
TEST_PACKAGES := git curl jq chromium
test-programs:
	@{ command -v git && command -v curl && command -v jq && command -v chromium; } >/dev/null 2>&1 || \
		[ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { \
		apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $(TEST_PACKAGES) >/dev/null; } || \
		echo 'not all of $(TEST_PACKAGES) could be installed; some tests will be skipped' >&2
