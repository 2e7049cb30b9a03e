# One short command per chore. The README says what each does without make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := data/demo
PORT ?= 8000
WORKERS ?= 3
CONFIG := $(or $(SCIM_CONFIG),config.toml)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' --upgrade
# The core of the protocol, and the emulator, once more over PostgreSQL.
ON_POSTGRES := $(addprefix tests/,emulator/test_tinyscim.py dialect/test_groups.py $(addprefix protocol/test_,service.py \
	patch.py bulk.py search.py sort.py cursors.py references.py versions.py paging.py concurrency.py))
PINNED := --quiet --disable-pip-version-check --require-hashes

.PHONY: run demo test test-long fuzz lint lock audit sbom dist release pictures bench clean

run: $(VENV)/.run $(CONFIG)
	@$(BIN)/flask setup
	@exec $(BIN)/gunicorn 'app:create_app()'

# In parallel, more processes than cores because some tests wait; `make test WORKERS=8` where there are many cores.
# Bytecode is kept, which spares each process that the tests start compiling the service, and each of pytest's rewriting
# the assertions.
test test-long: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.dev
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile
	@TINYSCIM_TEST_STORE=postgres $(BIN)/pytest -n $(WORKERS) --dist loadfile -k 'not (secret or federation)' $(ON_POSTGRES)

test-long: $(VENV)/.dev
	@$(BIN)/pytest -m long

# Mutated requests: `make fuzz SEED=5 ONLY=1234` sends one of them again.
fuzz: $(VENV)/.dev
	@$(BIN)/python -m tests.fuzz $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

# Raises every version within what pyproject.toml allows. The development's requirements have the same versions of what
# the service needs.
lock: $(VENV)/.dev
	@$(LOCK) pyproject.toml --output-file requirements.txt
	@$(LOCK) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt
	@$(LOCK) pyproject.toml --all-extras --constraints requirements-dev.txt --output-file packaging/docker/requirements.txt

# Fails, too, if nothing could be compared: the advisories are on the network.
audit: $(VENV)/.dev
	@found=$$($(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements-dev.txt 2>&1); \
	status=$$?; case "$$status $$found" in "0 "* | *"Found "*) echo "$$found"; exit $$status;; esac; \
	echo "The advisory database cannot be reached, so nothing was audited: $$(echo "$$found" | tail -1)" >&2; exit 2

sbom: $(VENV)/.dev
	@mkdir -p dist
	@$(BIN)/python packaging/sbom.py > dist/sbom.json

dist: $(VENV)/.dev
	@rm -rf dist
	@$(BIN)/python -m hatchling build
	@version=$$($(BIN)/python -m hatchling version); notes=dist/release-notes.md; \
	awk -v heading="## $$version" '/^## / { found = $$0 == heading; next } found' CHANGELOG.md > $$notes; \
	grep -q . $$notes || { echo "CHANGELOG.md has no section $$version" >&2; exit 1; }

# Uploads nothing.
release:
	@test -z "$$(git status --porcelain)" || { echo "Commit or remove these first:" >&2; git status --short >&2; exit 1; }
	@$(MAKE) lint test-long test dist

# A service of its own, a made-up tenant, and the emulator that provisions the one from the other. The service listens on
# PORT, or on another if that one is taken.
demo: $(VENV)/.run
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@port=$$($(BIN)/python -c 'import socket; \
	is_taken = not socket.socket().connect_ex(("127.0.0.1", $(PORT))); \
	print(socket.create_server(("127.0.0.1", 0 if is_taken else $(PORT))).getsockname()[1])') || exit 1; \
	umask 077; sed "s/^bind = .*/bind = \"127.0.0.1:$$port\"/" config.example.toml > $(DEMO)/config.toml; \
	url=http://127.0.0.1:$$port; export SCIM_CONFIG=$(DEMO)/config.toml SCIM_TOKEN; \
	$(BIN)/flask setup && SCIM_TOKEN=$$($(BIN)/flask token new --name demo) || exit 1; \
	$(BIN)/gunicorn 'app:create_app()' 2> $(DEMO)/log & server=$$!; trap "kill $$server" EXIT INT TERM; \
	for try in $$(seq 50); do sleep 0.2; $(BIN)/python -c "import httpx; httpx.get('$$url/healthz')" 2> /dev/null && break; done; \
	kill -0 $$server 2> /dev/null && grep -q "Listening at: $$url " $(DEMO)/log || { tail -5 $(DEMO)/log; exit 1; }; \
	$(BIN)/python -m entra demo --users 200 --groups 10 > $(DEMO)/tenant.json; \
	$(BIN)/python -m entra sync $(DEMO)/tenant.json --url $$url/api/scim/v2 --state $(DEMO)/links.json --rate 0; \
	echo; echo "Look at it at $$url/panel/ with the password above. Ctrl-C ends the demonstration."; \
	wait $$server

pictures: $(VENV)/.dev
	@$(BIN)/python -m tests.browser.pictures docs

bench: $(VENV)/.dev
	@$(BIN)/python -m bench.store
	@$(BIN)/python -m bench.disk
	@$(BIN)/python -m bench.latency --picture bench/latency.png
	@$(BIN)/python -m bench.load --picture bench/load.png
	@$(BIN)/python -m bench.cost log

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(CONFIG): | config.example.toml
	install -m 600 config.example.toml $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tinyscim needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(BIN)/python
	$(BIN)/pip install $(PINNED) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/pip install $(PINNED) -r requirements-dev.txt
	@touch $@ $(VENV)/.run
