# Every target does its own set-up from a bare checkout.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/
ENGINE ?= auto
export POSTGRES ?= auto
# Whole files side by side, in the order of tests/conftest.py, and one more than there are processors:
# half of the time a test waits, for containers or for processes.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST := $(RUN)python -m pytest -n $(WORKERS) --dist=loadfile --no-loadscope-reorder --postgres=$(POSTGRES)
# Options of the benchmark, such as BENCH="--settings --with-airflow --write-readme".
BENCH ?=
export KUBECONFIG
# Each of hundreds of processes would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE
export LEOFLOW_TEST_HOME ?= $(CURDIR)/.leoflow

.PHONY: demo test test-long test-kubernetes lint bench bench-quick bench-agent-design bench-build schema server-lock manifests clean

demo: $(VENV)/.ready
	@if docker version >/dev/null 2>&1; then base-images/install-tools; fi
	$(RUN)leoflow run examples/02-weather

test: $(VENV)/.ready lint
	tests/install-tools
ifeq ($(ENGINE),none)
	$(PYTEST) --engine=none
else
	base-images/install-tools
	$(RUN)python tests/private_engine.py -- $(PYTEST)
endif

test-long: $(VENV)/.ready
	tests/install-tools
	base-images/install-tools
	$(RUN)python tests/private_engine.py -- $(PYTEST) -m "long or not long"

# What it needs is in docs/testing-on-kubernetes.md.
test-kubernetes: $(VENV)/.ready
	base-images/install-tools
	PATH="$(CURDIR)/$(RUN):$$PATH" LEOFLOW_HOME=$(LEOFLOW_TEST_HOME) $(RUN)python tests/kubernetes/oncluster.py

lint: $(VENV)/.ready
	$(RUN)ruff check
	$(RUN)ruff format --check
	$(RUN)mypy
	$(RUN)lint-imports

bench: $(VENV)/.ready
	base-images/install-tools
	LEOFLOW_HOME=$(LEOFLOW_TEST_HOME) $(RUN)python tests/private_engine.py -- $(RUN)python -m benchmarks.coldstart $(BENCH)

bench-quick: $(VENV)/.ready
	base-images/install-tools
	LEOFLOW_HOME=$(LEOFLOW_TEST_HOME) $(RUN)python tests/private_engine.py -- $(RUN)python -m benchmarks.coldstart --quick $(BENCH)

bench-agent-design: $(VENV)/.ready
	tests/install-tools
	base-images/install-tools
	$(RUN)python -m benchmarks.coldstart.agent_design

bench-build: $(VENV)/.ready
	base-images/install-tools
	benchmarks/build/install-tools
	$(RUN)python tests/private_engine.py -- $(RUN)python -m benchmarks.build.compare

schema: $(VENV)/.ready
	$(RUN)python -m leoflow_builder.schema

# The lock of the control plane's image, with the newest versions that pyproject.toml allows.
server-lock: $(VENV)/.ready
	base-images/install-tools
	$(RUN)python -m leoflow_builder.systemimage.relock pyproject.toml

# deploy/manifests out of deploy/helm: the chart is what is edited.
manifests: $(VENV)/.ready
	$(RUN)python -m deploy.render deploy/helm/leoflow deploy/manifests

clean:
	rm -rf $(VENV) .leoflow

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "leoflow needs Python 3.11 or later, $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)python -m pip install --quiet --upgrade pip
	@# To compile all of it would take a third of the time; what is imported is compiled then, once.
	$(RUN)python -m pip install --quiet --no-compile --editable . --group dev
	@touch $@
