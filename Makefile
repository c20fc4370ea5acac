# Needs Python 3.11 or newer, make, git and a package index. `make` alone says what there is.

PYTHON ?= python3
# Not "?=": some shells export a HOST of their own.
HOST = 127.0.0.1
PORT = 8000

VENV := .venv
BIN := $(VENV)/bin

# What is installed is what requirements/ pins (decision 0020), what builds it included: an old pip reads the first
# variable for that, a new one the second.
PINS := requirements/django52.txt
PIP := PIP_CONSTRAINT=$(PINS) PIP_BUILD_CONSTRAINT=$(PINS) \
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input
PINS_FROM := pyproject.toml --universal --upgrade --strip-extras --no-annotate --quiet --custom-compile-command "make update"

# One stamp per extra: what is not asked for is not installed. They depend on what names the dependencies.
METADATA := pyproject.toml setup.py $(PINS)
APP := $(VENV)/.installed
TEST := $(VENV)/.installed-test
LINT := $(VENV)/.installed-lint
DOCS := $(VENV)/.installed-docs
SERVICES := $(VENV)/.installed-services
BROWSER := $(VENV)/.installed-browser
NODE_MODULES := tests/browser/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-services test-browser soak tox lint docs messages complete update serve clean
.NOTPARALLEL: # two pips in one environment get in each other's way
.DELETE_ON_ERROR:

help: ## say what there is
	@echo "make demo    fill a school and write a day's e-mails to ace_messages/"
	@echo "make serve   run the demo on http://$(HOST):$(PORT)/ (HOST=..., PORT=...)"
	@echo "make test    run the tests, but for those that must be slow"
	@echo "make coverage  run all of them, and say which lines no test reaches; it takes three times as long"
	@echo "make test-services  test on PostgreSQL, MariaDB, Redis and RabbitMQ, with workers that are killed"
	@echo "make test-browser   look at every e-mail and page in Chromium; the pictures go to pictures/"
	@echo "make soak    the same for hours: 100,000 messages, 1,000 kills"
	@echo "make tox     run the tests on each supported pair of Python and Django, and on the oldest and newest of all else"
	@echo "make lint    check style, types, layers, migrations and settings"
	@echo "make complete  say which words lack a translation; a release waits for none"
	@echo "make messages  bring the translations up to date with the words of the code, and compile them"
	@echo "make update  pin the newest versions of all that is installed, in requirements/"
	@echo "make docs    build the documentation into docs/_build/html/"
	@echo "make clean   remove what these made, the demo's database and e-mails included"
	@echo "PYTHON=python3.12 chooses the Python that the environment in $(VENV)/ is made with."

demo: $(APP)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py run_demo

serve: $(APP)
	@$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py runserver $(HOST):$(PORT)

test: $(TEST)
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

coverage: $(TEST)
	$(BIN)/python -m pytest -q -n 2 --cov --cov-report=term

# Needs what .ci/services installs and starts. SERVICES_SEED=... repeats a run's choices.
test-services: $(SERVICES)
	TEST_SERVICES=1 $(BIN)/python -m pytest -v tests/services

# Needs Chromium, Node and npm, which .ci/browser installs on Debian.
test-browser: $(BROWSER) $(NODE_MODULES)
	TEST_BROWSER=1 $(BIN)/python -m pytest -v tests/browser

# Sizes are per pair of database and broker, of which there are four.
soak: export SERVICES_MESSAGES ?= 25000
soak: export SERVICES_KILLS ?= 250
soak: export SERVICES_LEASE_SECONDS ?= 60
soak: export SERVICES_SECONDS ?= 14400
soak: $(SERVICES)
	TEST_SERVICES=1 $(BIN)/python -m pytest -v -s tests/services -k nothing_is_lost

lint: $(LINT)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

docs: $(DOCS)
	$(BIN)/sphinx-build --fail-on-warning --nitpicky --keep-going --quiet -b html docs docs/_build/html
	@echo "The documentation: open docs/_build/html/index.html"

messages: $(TEST)
	$(BIN)/python -m tools.catalogs

# What a release waits for: every sentence in every language.
complete: $(TEST)
	$(BIN)/python -m tools.catalogs check

# ROWS=py313-django61,oldest chooses rows of tox.ini.
tox: | $(BIN)/python
	@$(PIP) tox
	$(BIN)/tox run $(if $(ROWS),-e $(ROWS))

update: | $(BIN)/python
	@$(PIP) uv
	echo "Django==5.2.*" | $(BIN)/uv pip compile - $(PINS_FROM) --all-extras --group workshop --python-version 3.11 -o requirements/django52.txt
	echo "Django==6.0.*" | $(BIN)/uv pip compile - $(PINS_FROM) --all-extras --group workshop --python-version 3.12 -o requirements/django60.txt
	echo "Django==6.1.*" | $(BIN)/uv pip compile - $(PINS_FROM) --all-extras --group workshop --python-version 3.12 -o requirements/django61.txt
	$(BIN)/uv pip compile $(PINS_FROM) --extra test --extra services --python-version 3.11 --resolution lowest-direct -o requirements/oldest.txt
	@! command -v npm >/dev/null || npm update --package-lock-only --omit-lockfile-registry-resolved --prefix tests/browser --loglevel error
	@echo "Look at what changed (git diff requirements tests/browser), run .ci/run and make tox, and commit it."

clean:
	rm -rf $(VENV) build dist htmlcov docs/_build ace_messages previews pictures tests/browser/node_modules demo.sqlite3* *.egg-info .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .tox
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(APP): $(METADATA) | $(BIN)/python
	@echo "Installing …"
	@$(PIP) --editable ".[demo]"
	@touch $@

$(TEST) $(LINT) $(DOCS) $(SERVICES) $(BROWSER): $(VENV)/.installed-%: $(METADATA) | $(BIN)/python
	@echo "Installing, with what \"$*\" needs …"
	@$(PIP) --editable ".[$*]"
	@touch $@

$(NODE_MODULES): tests/browser/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing; on Debian .ci/browser installs it" >&2; exit 1; }
	@npm ci --prefix tests/browser --no-progress --loglevel error
	@touch $@

$(BIN)/python:
	@found=$$($(PYTHON) -c 'import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))' 2>/dev/null) \
	|| { echo "Python 3.11 or newer is needed; $(PYTHON) is $${found:-not there}. Name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making an environment in $(VENV)/ …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
