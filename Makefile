# Everything runs in .venv, which the first target that needs it sets up.
PYTHON ?= python3
BIN := .venv/bin
# nox and pre-commit call programs by name; here those of .venv, where all that they need is.
INSIDE := PATH="$(CURDIR)/$(BIN):$$PATH"
SESSION := $(INSIDE) nox --no-venv --no-install --session
# Processes that tests run in.
WORKERS ?= 2
# uv is faster than pip. Only pip knows pip's settings: it chooses the build of PyTorch, and
# installs the rest where uv does not reach the package index.
DEV := --constraint constraints.txt --editable '.[dev]'

.PHONY: demo test test-all nightly mutants coverage check docs wheel clean
.PHONY: bench bench-inference bench-compiled bench-gpu bench-gpu-smoke

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch uv
	$(BIN)/uv pip install --python $(BIN)/python --quiet --compile-bytecode $(DEV) || $(BIN)/pip install --quiet $(DEV)
	touch $@

demo: .venv/installed      ## train and evaluate MM-DFN, on FEATURES=file or synthetic conversations
	$(BIN)/python examples/mmdfn_iemocap.py $(if $(FEATURES),--features $(FEATURES))

# Threads of several tests at once would wait for each other: a process a core, a thread a process.
test test-all nightly coverage: export OMP_NUM_THREADS = 1

test: .venv/installed      ## every property and function, on few and small examples; doctests included
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -m "not slow" --numprocesses $(WORKERS)

test-all: .venv/installed  ## all tests but those of minutes, with all examples
	$(BIN)/python -m pytest -m "not nightly" --numprocesses $(WORKERS)

nightly: .venv/installed   ## the same with forty times as many examples, and mutants, in hours
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest --numprocesses $(WORKERS)
	$(MAKE) mutants

# A copy of the package in the path would be tested instead of its mutants.
mutants: .venv/installed   ## whether the tests notice what is wrong in the mathematics, in hours
	rm -rf mutants
	PYTHONPATH= OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=mutants $(BIN)/mutmut run
	$(BIN)/mutmut results --all true | $(BIN)/python -m tests.mutants

coverage: .venv/installed  ## the lines and branches that the test suite runs
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --cov=graphfusion --cov-branch --cov-report=term-missing --cov-fail-under=95

check: .venv/installed     ## formatter, linters, type checker: all hooks of .pre-commit-config.yaml
	$(INSIDE) pre-commit run --all-files

docs: .venv/installed      ## the documentation, every page's code run, warnings as errors
	$(SESSION) docs

bench: .venv/installed     ## speed against other constructions; on an otherwise idle machine
	$(BIN)/python -m benchmarks.run --trend benchmarks/trend.json

bench-inference: .venv/installed  ## latency and throughput as users have them, against padded batches
	$(BIN)/python -m benchmarks.inference

bench-compiled: .venv/installed   ## eager mode against torch.compile
	$(BIN)/python -m benchmarks.compiled

bench-gpu: .venv/installed        ## all that only a GPU shows; fails where there is none
	$(BIN)/python -m benchmarks.gpu

bench-gpu-smoke: .venv/installed  ## the same code, tiny, on the CPU, without what needs CUDA
	$(BIN)/python -m benchmarks.gpu --device cpu --output build/gpu-smoke.json

wheel: .venv/installed     ## a wheel and an sdist, checked; the wheel imported in an empty environment
	$(SESSION) wheel

clean:
	rm -rf .venv build dist docs/_build docs/reference/generated mutants .coverage
