# make demo | test | test-slow | coverage | lint | bench | docs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
export FLWR_TELEMETRY_ENABLED := 0

.PHONY: demo test test-slow coverage lint bench docs format clean

# PyTorch is installed first and by exact version, so that no other package can pull a different build.
$(VENV)/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) --editable .
	touch $@

$(VENV)/dev: $(VENV)/core
	$(PIP) --editable '.[dev]'
	touch $@

demo: $(VENV)/core
	$(BIN)/motet demo

test: $(VENV)/dev
	$(BIN)/pytest -m "not slow"

# Tracing lines takes a fifth of the time, so that it is not part of `test`.
coverage: $(VENV)/dev
	$(BIN)/pytest -m "not slow" --cov --cov-report=term

test-slow: $(VENV)/dev
	$(BIN)/pytest -m slow

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/core
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/methods.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/performance.py

docs: $(VENV)/dev
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) site .coverage* .pytest_cache .mypy_cache .ruff_cache
