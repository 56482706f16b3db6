# `make run` and `make test` set everything up in .venv and are quick when that is done.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
# TORCH_INDEX=URL: index of a CPU-only or CUDA build of torch (see README)
# JOBS: processes that share the tests
JOBS ?= $(shell nproc)
PIP_ARGS := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: run test test-slow lint types contracts bench lock clean

run: $(VENV)/.ready
	$(PY) -m bench run

test: lint types contracts
	$(PY) -m pytest -q -n $(JOBS)

test-slow: $(VENV)/.ready
	$(PY) -m pytest -q -m slow -n $(JOBS)

lint: $(VENV)/.ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.ready
	$(PY) -m mypy

contracts: $(VENV)/.ready
	$(VENV)/bin/lint-imports

# Scripts of measurements; each prints its ratio in one run.
bench: $(VENV)/.ready
	for script in tests/benchmarks/*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Re-pin: torch is pinned by hand in requirements.in, since a range would fetch the newest CUDA build.
lock:
	$(VENV)/bin/pip-compile --quiet --strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock requirements.in
	sed -i "s/^torch==\([0-9.]*\)+.*/torch==\1/" requirements.lock

clean:
	rm -rf $(VENV)
