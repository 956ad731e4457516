# Setup needs only Python 3.11 or later. If uv is missing, it is downloaded to .tools.
STACK ?= dev
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(if $(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(name))))
UV ?= $(or $(shell command -v uv),.tools/bin/uv)
BIN := .venv/bin

.PHONY: setup generate preview test search test-aws test-rules wheel accuracy bench-accuracy bench-fit boundary leave-out spared-nodes suggestions oracle draw-questions scale check borders e2e e2e-vllm e2e-vllm-short clean

setup: .venv/.ready

.tools/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed (python3 is $$(python3 --version 2>&1)); name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

# Compile bytecode once, so that commands answer in well under a second.
.venv/.ready: pyproject.toml uv.lock $(filter .tools/bin/uv,$(UV))
	$(UV) sync --locked --quiet --compile-bytecode $(if $(PYTHON),--python $(PYTHON))
	$(BIN)/python -m compileall -q checks components config vllm_eks
	@touch $@

# Generates files from the code: the schema of stack files, Pulumi.yaml's descriptions, docs/reference.
generate: .venv/.ready
	@$(BIN)/python -m tools.generate

preview: .venv/.ready
	@$(BIN)/vllm-eks preview --stack $(STACK)

# worksteal: each process takes consecutive files, so that a module's fixtures are created once. pytest's bytecode of the
# tests is kept for the next run.
test: .venv/.ready
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 2 --dist worksteal -m "not emulated_aws and not promtool" --ignore=tests/e2e --ignore=tests/house --ignore=tests/wheel

# The property tests with other examples, and more of them. Takes some minutes.
search: .venv/.ready
	$(BIN)/pytest -q -n 2 --hypothesis-profile=search $$(grep -rl "from hypothesis" --include='test_*.py' tests/unit tests/program)

# Tests that fill an emulated AWS account with resources: leftovers, the catalogue, copies to S3.
test-aws: .venv/.ready
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 2 --dist worksteal -m emulated_aws $$(grep -rl emulated_aws --include='test_*.py' tests/unit)

# Alerts of each fault in Prometheus's own promtool. Skipped without it.
test-rules: .venv/.ready
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 2 --dist worksteal -m promtool tests/unit/monitoring

# Builds the wheel, and runs each of its commands in an otherwise empty environment.
wheel: .venv/.ready
	VLLM_EKS_UV=$(UV) $(BIN)/pytest -q tests/wheel

# Scores the planner on public start-ups: tests/data/vllm_runs, or RUNS=folder of the same form.
accuracy: .venv/.ready
	@$(BIN)/python -m tests.accuracy.report $(RUNS)

# Predicts and scores the speed of public benchmarks: tests/data/bench/shared.jsonl, or ROWS=file of the same form.
bench-accuracy: .venv/.ready
	@$(BIN)/python -m tests.accuracy.bench $(ROWS)

# Fits the constants of the speed model, scores rows that are held out, and writes data/speed.json. Takes a minute on two idle cores.
bench-fit: .venv/.ready
	@$(BIN)/python -m tests.accuracy.bench.fit

# Scores the ranges on runs whose model or source is left out of the fit.
leave-out: .venv/.ready
	@$(BIN)/python -m tests.accuracy.leave_out $(RUNS)

# Lists multi-node plans of the catalogue that would need fewer nodes with a smaller batch.
spared-nodes: .venv/.ready
	@$(BIN)/python -m tests.accuracy.spared_nodes

# Draws 5,000 random refused plans (or DRAWS=number, SEED=number), and follows each suggestion alone. Takes some minutes.
suggestions: .venv/.ready
	@$(BIN)/python -m tests.accuracy.suggestions $(or $(DRAWS),5000) $(SEED)

# Scores the same start-ups with just enough and just too little memory for vLLM to start.
boundary: .venv/.ready
	@$(BIN)/python -m tests.accuracy.boundary $(RUNS)

# Compares the planner with vLLM's own classes: a table of layouts that vLLM itself sized (TABLE=file, or the lab's).
oracle: .venv/.ready
	@$(BIN)/python -m tests.accuracy.oracle_report $(TABLE)

# Draws questions for the lab's oracle into a new folder OUT. make oracle TABLE=OUT/answers.json scores the answers.
draw-questions: .venv/.ready
	@$(BIN)/python -m tests.accuracy.draw $(OUT) --seed $(or $(SEED),1) --count $(or $(COUNT),100)

# Measures how long a preview takes with 1, 5 and 20 models on one cluster.
scale: .venv/.ready
	@$(BIN)/python -m tests.program.scale_report

check: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pytest -q -n 2 tests/house
	$(BIN)/codespell

# In a copy, renames every field that one package passes to another. pyright must report each. Takes some minutes.
borders: .venv/.ready
	@$(BIN)/python -m tools.rename_borders

# Needs a Kubernetes API server with LeaderWorkerSet and GPU nodes, helm, kubectl and kubeconform (contributing/testing.md).
e2e: .venv/.ready
	$(BIN)/pytest -q -s -rs tests/e2e --ignore-glob='*/test_real_vllm*.py'

# Needs root, and a vLLM for the CPU that has been built next to the checkout (contributing/testing.md). Takes about an hour.
e2e-vllm: .venv/.ready
	$(BIN)/pytest -q -s -rs tests/e2e/test_real_vllm.py tests/e2e/test_real_vllm_ends.py tests/e2e/test_real_vllm_bench.py tests/e2e/test_real_vllm_clients.py tests/e2e/test_real_vllm_client_pods.py

# A short form with one start of one group. Takes about five minutes.
e2e-vllm-short: .venv/.ready
	$(BIN)/pytest -q -s -rs tests/e2e/test_real_vllm_short.py

clean:
	rm -rf .venv .tools
