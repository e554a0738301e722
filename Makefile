# Everything happens in one virtual environment, .venv, which `setup` makes when it has to.

PYTHON := .venv/bin/python

# The demo and the tests talk to this machine, not to a proxy.
export no_proxy := 127.0.0.1,localhost,$(no_proxy)

.PHONY: run test bench soak lint setup system clean

run: setup
	@$(PYTHON) tools/demo.py

test: lint system
	@$(PYTHON) -m pytest

# Needs nginx and wrk from the system for all that it measures (apt-get install nginx-light wrk).
bench: setup
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -e '.[server,benchmarks]'
	@$(PYTHON) -m benchmarks $(WHAT)

# The tests of faults, for hours instead of minutes.
soak: setup system
	@FILETRACKER_SOAK=1 $(PYTHON) -m pytest tests/faults tests/trust tests/access

lint: setup
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy

setup:
	@sh tools/setup.sh

system:
	@sh tools/system.sh

clean:
	rm -rf .venv .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf __pycache__ build dist var *.egg-info
	find benchmarks filetracker tests tools -name __pycache__ -prune -exec rm -rf {} +
