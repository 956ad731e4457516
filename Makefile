# Set-up needs Python 3.11 or later and nothing else: where uv is missing, it is put into .tools.
STACK ?= dev
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(if $(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(name))))
UV ?= $(or $(shell command -v uv),.tools/bin/uv)
BIN := .venv/bin

.PHONY: setup generate preview test test-aws wheel accuracy boundary leave-out spared-nodes suggestions oracle draw-questions scale check borders e2e e2e-vllm e2e-vllm-short clean

setup: .venv/.ready

.tools/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed (python3 is $$(python3 --version 2>&1)); name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

# Bytecode is compiled once here: an answer in well under a second needs it.
.venv/.ready: pyproject.toml uv.lock $(filter .tools/bin/uv,$(UV))
	$(UV) sync --locked --quiet --compile-bytecode $(if $(PYTHON),--python $(PYTHON))
	$(BIN)/python -m compileall -q checks components config vllm_eks
	@touch $@

# Writes what is generated from the code: the schema of stack files, Pulumi.yaml's descriptions, docs/reference.
generate: .venv/.ready
	@$(BIN)/python -m tools.generate

preview: .venv/.ready
	@$(BIN)/vllm-eks preview --stack $(STACK)

# worksteal: each process takes a run of files, so that a module's fixtures are made once. What pytest makes of the tests
# is kept for the next run.
test: .venv/.ready
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 2 --dist worksteal -m "not emulated_aws" --ignore=tests/e2e --ignore=tests/house --ignore=tests/wheel

# The tests that plant a whole account in an emulated AWS: leftovers, the catalogue, copies to S3.
test-aws: .venv/.ready
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 2 --dist worksteal -m emulated_aws $$(grep -rl emulated_aws --include='test_*.py' tests/unit)

# Builds the wheel, and runs every command of it in an environment that holds nothing else.
wheel: .venv/.ready
	VLLM_EKS_UV=$(UV) $(BIN)/pytest -q tests/wheel

# Scores the planner on start-ups that people reported: tests/data/vllm_runs, or RUNS=folder of the same form.
accuracy: .venv/.ready
	@$(BIN)/python -m tests.accuracy.report $(RUNS)

# Scores the ranges on runs whose model, then source, is left out of what is fitted.
leave-out: .venv/.ready
	@$(BIN)/python -m tests.accuracy.leave_out $(RUNS)

# Multi-node plans of the catalogue that a smaller batch would have spared nodes.
spared-nodes: .venv/.ready
	@$(BIN)/python -m tests.accuracy.spared_nodes

# Draws refused plans and follows each suggestion alone: 5,000, or DRAWS=number. Some minutes.
suggestions: .venv/.ready
	@$(BIN)/python -m tests.accuracy.suggestions $(DRAWS)

# The same start-ups with the utilization moved to the edge of what vLLM starts with.
boundary: .venv/.ready
	@$(BIN)/python -m tests.accuracy.boundary $(RUNS)

# Compares the planner with vLLM's own classes: a table of layouts that vLLM itself sized (TABLE=file, or the lab's).
oracle: .venv/.ready
	@$(BIN)/python -m tests.accuracy.oracle_report $(TABLE)

# Draws questions for the lab's oracle into a new folder OUT; make oracle TABLE=OUT/answers.json scores what it says.
draw-questions: .venv/.ready
	@$(BIN)/python -m tests.accuracy.draw $(OUT) --seed $(or $(SEED),1) --count $(or $(COUNT),100)

# How long a preview takes with 1, 5 and 20 models on one cluster.
scale: .venv/.ready
	@$(BIN)/python -m tests.program.scale_report

check: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pytest -q -n 2 tests/house
	$(BIN)/codespell

# Renames every field that crosses a room, in a copy; pyright must report each. Some minutes.
borders: .venv/.ready
	@$(BIN)/python -m tools.rename_borders

# Needs a Kubernetes API server with LeaderWorkerSet and GPU nodes, helm, kubectl and kubeconform (contributing/testing.md).
e2e: .venv/.ready
	$(BIN)/pytest -q -s -rs tests/e2e --ignore-glob='*/test_real_vllm*.py'

# Needs root, and a vLLM for the CPU that has been built beside the checkout (contributing/testing.md); about an hour.
e2e-vllm: .venv/.ready
	$(BIN)/pytest -q -s -rs tests/e2e/test_real_vllm.py tests/e2e/test_real_vllm_ends.py

# One start of one group of that, some five minutes.
e2e-vllm-short: .venv/.ready
	$(BIN)/pytest -q -s -rs tests/e2e/test_real_vllm_short.py

clean:
	rm -rf .venv .tools
