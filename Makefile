PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow test-js clean

demo: $(READY)
	$(BIN)/equiradio demo --out demo

test: $(READY)
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --durations 15
	$(MAKE) test-js

# the longest tests, which have shorter ones beside them: to be run before a release, and by who works on what they test
test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

# the viewer's JavaScript: its tests need node alone; its linter is fetched from npm, and passed over where that cannot be reached
test-js:
	@if ! command -v node > /dev/null; then echo "test-js: skipped, no node here"; else node --test tests/js/*.test.js; fi
	@if ! command -v npm > /dev/null; then echo "test-js: no lint, no npm here"; \
	elif test -x node_modules/.bin/eslint || npm ci --silent --no-audit --no-fund; then npm run --silent lint; \
	else echo "test-js: no lint, npm could not fetch eslint"; fi

# escnn is an oracle of the tests only; its own requirements (a Fortran compiler, numpy 1) are not needed for that
$(READY): pyproject.toml hatch_build.py src/equiradio/libraries.py $(wildcard src/equiradio/layers/forms/native/*.[ch] src/equiradio/sky/*.c)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps escnn==1.0.11
	touch $(READY)

clean:
	rm -rf $(VENV) demo
