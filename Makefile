# Everything happens in .venv; `make test` and `make demo` set it up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
# Three processes on two cores: one of them often waits for a server, a browser or a worker. glibc's malloc gives freed
# memory back at once and has it cleared again; told to keep some, tests that train spend less on that.
PYTEST := MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=33554432 \
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: setup demo test coverage lint docs bench starter clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo 'affuse needs Python 3.11 to 3.13: make PYTHON=python3.11 ...'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# the tests of pages run in the system's browser, and skip where there is none
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome || { [ "$$(id -u)" = 0 ] && apt-get update && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; }; } >/dev/null 2>&1 \
		|| echo 'There is no Chromium, and it cannot be installed here: the tests of pages will skip'
	touch $@

test: setup
	$(PYTEST)

# The same tests; prints which lines and branches no test runs, and fails below the share in pyproject.toml.
coverage: setup
	$(PYTEST) --cov --cov-report=term

demo: setup
	$(BIN)/affuse demo --out demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: setup
	for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Trains the models that come with affuse again, from the folder that holds emodb/ and goemotions/: make starter DATA=...
# WHISPER=... is a folder with the weights of openai/whisper-tiny.en, for starter-whisper.
starter: setup
	$(BIN)/python starters/make.py $(DATA) $(if $(WHISPER),--whisper $(WHISPER))

docs: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site .coverage
