# `make help` lists what can be done here.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
ARGS   ?=
# Tests mostly wait for processes: two at a time take little more than half the time. `make test PARALLEL=`: one.
PARALLEL ?= -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test coverage chaos services services-stop bench lint format requirements clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: $(VENV)/base ## Start everything on this machine: web, dispatcher, worker, embedded broker (PORT=8000 STATE_DIR=var)
	@exec $(BIN)/python manage.py standalone

test: $(VENV)/dev ## Run the whole suite against real servers, which come and go with it (ARGS="-k name" for a part of it)
	$(BIN)/python -m services run -- $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

coverage: $(VENV)/dev ## The same, and how much of the code it runs through (processes that tests start are not counted)
	$(BIN)/python -m services run -- $(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

chaos: $(VENV)/dev ## Break everything again and again: no run is lost or doubled (ARGS="--measures": how soon it heals; ARGS="--help": more)
	@$(BIN)/python -m services run -- $(BIN)/python -m tests.chaos $(ARGS)

services: $(VENV)/dev ## Install and start PostgreSQL, RabbitMQ and Redis for tests and benchmarks (SERVICES_INSTALL=0: as they are)
	@$(BIN)/python -m services start

services-stop: $(VENV)/dev ## Stop those servers
	@$(BIN)/python -m services stop

bench: $(VENV)/bench ## Measure this machine against the bar (ARGS="--quick": under two minutes; ARGS="--help": more)
	$(BIN)/python -m services run -- $(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/dev ## Check style, types, the floors of the house, and missing migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/dev ## Bring the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(VENV)/dev ## Compile requirements/*.in to pinned *.txt
	for name in worker base dev bench; do \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate \
			requirements/$$name.in --output-file requirements/$$name.txt; done

clean: ## Remove the virtual environment and what tools left behind (data in var/ stays)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# The environment is made once and anew when the pinned requirements change.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/base: requirements/base.txt | $(VENV)/bin/python
	@echo "Installing the pinned requirements …"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements/base.txt
	@touch $@

$(VENV)/dev: requirements/dev.txt | $(VENV)/bin/python
	@echo "Installing the pinned requirements for development …"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements/dev.txt
	@touch $@ $(VENV)/base

$(VENV)/bench: requirements/bench.txt | $(VENV)/bin/python
	@echo "Installing the pinned requirements for the benchmarks …"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements/bench.txt
	@touch $@ $(VENV)/dev $(VENV)/base
