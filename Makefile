# Everything that a bare Debian 12 (Python 3.11, Go 1.26, git, make, apt) needs to try, test and build the Boardroom operator.
# What is missing is installed or built by the targets themselves, and they say so.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	--python-version 3.11 --custom-compile-command "make lock"
BOARD := manifests/examples/executive-board.yaml
QUESTION := Analyze Q2 performance and recommend a strategy
PYTEST := $(BIN)/pytest
CLIENTS := .venv-lorax-client/installed .venv-openai-client/installed .venv-schemathesis/installed .venv-outlines/installed

.PHONY: help
help: ## Show this help.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

## -- try it ------------------------------------------------------------------------------------------------

.PHONY: try
try: .venv/installed ## Ask the example board one question, in seconds, without any cluster (simulated LoRAX, no GPU).
	@$(BIN)/boardroom serve -f $(BOARD) --port 0 -- $(BIN)/boardroom ask executive "$(QUESTION)"

.PHONY: demo
demo: .venv/installed ## The whole loop on a real Kubernetes: cluster, operator, board, five answers (KEEP=1 leaves it running).
	@$(BIN)/boardroom demo $(if $(KEEP),--keep)

## -- test it -----------------------------------------------------------------------------------------------

.PHONY: test
test: lint test-unit test-component test-integration test-e2e ## Lint, unit, component, integration (real kube-apiserver) and e2e tests (real pods).

.PHONY: lint
lint: .venv/installed ## ruff, mypy strict (tests and bench too), the rooms' import rule, and that operator/ does not shadow the stdlib's operator.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -c "import operator; operator.add"

.PHONY: test-unit
test-unit: .venv/installed ## Unit tests: no socket, no process (a minute).
	$(PYTEST) tests/unit

.PHONY: test-component
test-component: .venv/installed .venv-docs/installed $(CLIENTS) torch chromium ## Tests with sockets and processes, and inputs that people tried: no cluster.
	@PYTHONPATH=tests $(BIN)/python -m tools.programs kstatus >/dev/null # here its progress can be seen
	$(PYTEST) tests/component tests/tried

# PyPI's for Linux brings CUDA along, 5 GB of it; Debian's is for the CPU. Where it can't be had, what needs it is skipped.
.PHONY: torch
torch: .venv/installed ## Debian's PyTorch, where there is none yet and apt may: the tests of bench-gpu run on it.
	@if ! $(BIN)/python -c 'import sys; sys.path.append("/usr/lib/python3/dist-packages"); import torch' 2>/dev/null \
		&& [ ! -e /usr/lib/python3/dist-packages/torch ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing python3-torch from Debian (about 150 MB, a minute)" >&2; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends python3-torch >/dev/null \
			|| echo "python3-torch could not be installed: the tests of bench-gpu are skipped" >&2; fi

# Where it can't be had, the site is built and its links are checked, and no browser looks at it.
.PHONY: chromium
chromium: ## Debian's Chromium, where there is none yet and apt may: a test looks at the documentation with it.
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing chromium from Debian (about 100 MB, a minute)" >&2; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends chromium >/dev/null \
			|| echo "chromium could not be installed: no browser looks at the documentation" >&2; fi

.PHONY: test-integration
test-integration: .venv/installed ## Tests on a real kube-apiserver, and charts by Helm (the first run builds them: about 14 minutes on 2 cores).
	@$(BIN)/boardroom cluster bin etcd kube-apiserver kube-controller-manager >/dev/null # here its progress can be seen
	@PYTHONPATH=tests $(BIN)/python -m tools.programs helm4 helm3 kubeconform versitygw >/dev/null
	$(PYTEST) tests/integration

.PHONY: test-e2e e2e
e2e: test-e2e
test-e2e: .venv/installed ## Tests on real pods (the first run builds a Kubernetes node: about 6 minutes more).
	@if [ "$$(id -u)" = 0 ]; then $(BIN)/boardroom cluster bin >/dev/null; fi
	@PYTHONPATH=tests $(BIN)/python -m tools.programs helm4 versitygw >/dev/null
	$(PYTEST) tests/e2e

.PHONY: conformance
conformance: .venv/installed $(CLIENTS) ## Real clients and LoRAX's recorded facts against the simulator, or against LORAX_URL.
	$(PYTEST) tests/component/conformance

.PHONY: test-cold
test-cold: ## `make test` in a fresh clone with empty caches; prints what each part took.
	@tests/cold.sh

## -- measure it --------------------------------------------------------------------------------------------

.PHONY: bench
bench: .venv/installed .venv-bench/installed ## Measure every claim but the control plane's (about half an hour, the machine else idle): bench/results, docs/performance.md.
	$(BIN)/python -m bench overhead
	$(BIN)/python -m bench curve
	$(BIN)/python -m bench churn
	$(BIN)/python -m bench attribution
	$(BIN)/python -m bench soak
	$(BIN)/python -m bench report

.PHONY: bench-quick
bench-quick: .venv/installed ## The key ratios beside the committed ones, in less than 3 minutes; never fails on a figure.
	$(BIN)/python -m bench quick

.PHONY: bench-scale
bench-scale: .venv/installed ## The operator over 100 and 1,000 boards on a real API server with kwok's nodes (about 40 minutes).
	$(BIN)/python -m bench scale

.PHONY: bench-gpu
bench-gpu: .venv-gpu/installed ## Multi-LoRA batching for real with PyTorch, on a GPU where there is one (SIZE=tiny|1b|7b); a cost profile for the simulator.
	.venv-gpu/bin/python -m bench.multi_lora $(if $(SIZE),--size $(SIZE))

.PHONY: attribution
attribution: .venv/installed ## 100,000 answers under faults: which weights wrote each? (about 10 minutes)
	PYTHONHASHSEED=0 $(BIN)/python -m bench attribution

## -- work on it --------------------------------------------------------------------------------------------

.PHONY: setup
setup: .venv/installed $(CLIENTS) ## Make the virtual environments.

.PHONY: docs
docs: .venv/installed .venv-docs/installed ## Build the documentation's site into build/docs (open build/docs/index.html).
	@PYTHONPATH=tests $(BIN)/python -m tools.drawing
	@PYTHONPATH=tests $(BIN)/python -m tools.site

.PHONY: dev
dev: lint ## Lint, types, and the unit tests of what changed since this branch left main (seconds).
	@PYTHONPATH=tests $(BIN)/python -m tools.changed | xargs -r $(PYTEST) -q

.PHONY: format
format: .venv/installed ## Format the code and mend what ruff can mend.
	$(BIN)/ruff check --fix -q . || true
	$(BIN)/ruff format .

.PHONY: crds
crds: .venv/installed ## Write crds/, and what is generated of charts/, from operator/boardroom/api.
	$(BIN)/boardroom crds crds
	@PYTHONPATH=tests $(BIN)/python -m tools.values_table

.PHONY: lock
lock: .venv/installed ## Write requirements/*.lock from pyproject.toml (hashed, universal, without index addresses).
	echo 'uv==0.13.9' | $(LOCK) - -o requirements/uv.lock
	$(LOCK) pyproject.toml -o requirements/runtime.lock
	$(LOCK) pyproject.toml --group dev -c requirements/runtime.lock -o requirements/dev.lock
	$(LOCK) --group lorax-client -o requirements/lorax-client.lock
	$(LOCK) --group openai-client -o requirements/openai-client.lock
	$(LOCK) --group outlines --overrides requirements/outlines.overrides -o requirements/outlines.lock
	$(LOCK) --group docs -o requirements/docs.lock
	$(LOCK) --group schemathesis -o requirements/schemathesis.lock
	$(LOCK) --group bench -o requirements/bench.lock
	$(LOCK) --group gpu -o requirements/gpu.lock

.PHONY: clean
clean: ## Remove the environments and build output (the cluster's cache stays: `boardroom cluster down` first).
	rm -rf .venv .venv-* build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

## -- environments ------------------------------------------------------------------------------------------

# Debian splits venv's ensurepip into a package of its own.
.venv/installed: pyproject.toml requirements/dev.lock requirements/uv.lock
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		echo "installing python3-venv from Debian" >&2; apt-get update -qq && apt-get install -qqy python3-venv >/dev/null; fi
	@echo "making .venv from requirements/dev.lock" >&2
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/uv.lock
	@$(BIN)/uv pip sync -q --require-hashes --python .venv requirements/dev.lock
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation --python .venv -e .
	@touch $@

.venv-%/installed: requirements/%.lock | .venv/installed
	@echo "making .venv-$* from requirements/$*.lock" >&2
	@rm -rf .venv-$* && $(PYTHON) -m venv --without-pip .venv-$*
	@$(BIN)/uv pip sync -q --require-hashes --python .venv-$* requirements/$*.lock
	@touch $@
