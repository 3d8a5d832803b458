# Everything runs in .venv, which the first target that needs it sets up.
PYTHON ?= python3
BIN := .venv/bin
# Processes that tests run in.
WORKERS ?= 2

.PHONY: demo test test-all nightly mutants coverage check docs bench wheel clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed      ## train and evaluate MM-DFN, on FEATURES=file or synthetic conversations
	$(BIN)/python examples/mmdfn_iemocap.py $(if $(FEATURES),--features $(FEATURES))

# Threads of several tests at once would wait for each other: a process a core, a thread a process.
test test-all nightly: export OMP_NUM_THREADS = 1

test: .venv/installed      ## every property and function, on few and small examples; doctests included
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -m "not slow" --numprocesses $(WORKERS)

test-all: .venv/installed  ## all tests, with all examples
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

nightly: .venv/installed   ## the same with twenty times as many examples, and mutants, in hours
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest --numprocesses $(WORKERS)
	$(MAKE) mutants

# A copy of the package in the path would be tested instead of its mutants.
mutants: .venv/installed   ## whether the tests notice what is wrong in the mathematics, in hours
	rm -rf mutants
	PYTHONPATH= OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=mutants $(BIN)/mutmut run
	$(BIN)/mutmut results --all true | $(BIN)/python -m tests.mutants

coverage: .venv/installed  ## the lines and branches that the test suite runs
	$(BIN)/python -m pytest --cov=graphfusion --cov-branch --cov-report=term-missing --cov-fail-under=95

check: .venv/installed     ## formatter, linter, type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: .venv/installed      ## the documentation, every page's code run, warnings as errors
	rm -rf docs/reference/generated
	$(BIN)/python -m sphinx -W --keep-going -j 2 -d docs/_build/doctrees -b html docs docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -d docs/_build/doctrees -b doctest docs docs/_build/doctest

bench: .venv/installed     ## speed against other constructions; on an otherwise idle machine
	$(BIN)/python -m benchmarks.run

wheel: .venv/installed     ## a wheel and an sdist, checked; the wheel imported in an empty environment
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv build/empty
	build/empty/bin/pip install --quiet --constraint constraints.txt dist/*.whl
	cd build && empty/bin/python -c "from graphfusion import DynamicFusion; print(DynamicFusion(8, 4, 2))"

clean:
	rm -rf .venv build dist docs/_build docs/reference/generated mutants .coverage
