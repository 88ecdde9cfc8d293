# Each target does all of its own set-up. `make help` lists them.

PY := .venv/bin/python

.PHONY: help setup protos plugins check format test demo bench clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup:  ## the virtual environment, torch for what the machine has
	@scripts/setup

protos: setup  ## compile the wire contract after editing it
	$(PY) protos/hatch_build.py

plugins: setup  ## the zips for Krita and GIMP, in build/plugins
	$(PY) plugins/build.py

check: setup  ## format, lint, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: setup  ## let ruff mend what it can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

test: setup  ## every test that needs no Krita and no GIMP
	$(PY) -m pytest

demo: setup  ## fill the example picture
	$(PY) examples/demo.py

bench: setup  ## speed of every part, printed; never a test
	$(PY) -m benchmarks

clean:  ## remove what the other targets made
	rm -rf .venv build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
