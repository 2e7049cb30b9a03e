# One short command per chore. The README says what each does without make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG := $(or $(SCIM_CONFIG),config.toml)

.PHONY: run test lint pictures bench clean

run: $(VENV)/.run $(CONFIG)
	@$(BIN)/flask setup
	@exec $(BIN)/gunicorn 'app:create_app()'

test: $(VENV)/.dev
	@$(BIN)/pytest

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

pictures: $(VENV)/.dev
	@$(BIN)/python -m tests.browser.pictures docs

bench: $(VENV)/.dev
	@$(BIN)/python -m bench.store
	@$(BIN)/python -m bench.latency --picture bench/latency.png

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(CONFIG): | config.example.toml
	install -m 600 config.example.toml $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tinyscim needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run
