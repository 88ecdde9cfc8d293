# Each target does all of its own set-up. `make help` lists them.

PY := .venv/bin/python
# A worker for each core, of more than a gigabyte each; whole files, whose fixtures are made once.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

.PHONY: help setup protos plugins check check-workflows format reference test test-fast test-gpu test-hosts test-hosts-next test-dependencies fuzz soak stress test-container buf coverage docs dist demo run bench clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup:  ## the virtual environment, torch for what the machine has
	@scripts/setup

protos: setup  ## compile the wire contract after editing it
	$(PY) protos/hatch_build.py

plugins: setup  ## the zips for Krita and GIMP, in build/plugins
	$(PY) plugins/build.py

check: setup check-workflows  ## format, lint, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

check-workflows: setup  ## GitHub's workflows and forms against their schemas, and what they would let strangers do
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	.venv/bin/zizmor --offline --quiet .github

format: setup  ## let ruff mend what it can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

reference: setup  ## docs/schemas and the generated pages of docs/reference, after editing what they show
	$(PY) scripts/write-schemas
	$(PY) scripts/write-reference

test: setup  ## every test that needs no Krita and no GIMP
	$(PY) -m pytest $(PARALLEL) -m "not hosts"

test-fast: setup  ## those without real daemons and commands that take under half a second, in a minute
	$(PY) -m pytest $(PARALLEL) -m "not hosts and not slow" \
		--ignore tests/cli --ignore tests/server/wire --ignore tests/server/daemon

test-gpu: setup  ## the tests that need a GPU; they fail where there is none
	REQUIRE_GPU=1 $(PY) -m pytest -m gpu tests/model tests/server

test-hosts: setup  ## the plug-ins in real Kritas and in GIMP, which it installs (Debian, root)
	@scripts/setup-hosts
	REQUIRE_HOSTS=1 $(PY) -m pytest tests/hosts -k "not unstable"

test-hosts-next: setup  ## the same in Krita 6 and GIMP 3.2, of Debian's unstable
	@scripts/setup-hosts unstable
	REQUIRE_HOSTS=1 $(PY) -m pytest tests/hosts -k unstable

test-dependencies: setup  ## the lowest and the newest versions that pyproject.toml allows
	scripts/test-dependencies lowest newest

test-container: setup  ## build the container image with podman, and try it
	PYTHONPATH=tests/support scripts/test-container

buf: setup  ## the wire contract by buf's rules, which comes from npm
	npm install --prefix build/buf --no-save --silent --ignore-scripts @bufbuild/buf@1.75.0
	BUF=build/buf/node_modules/.bin/buf $(PY) -m pytest tests/test_contract.py

demo: setup  ## start a daemon, fill the example image through it, stop the daemon
	$(PY) examples/demo.py

run: setup plugins  ## install the plug-ins into the Krita and GIMP found, run the daemon in front
	-$(PY) -m inpaint_cli plugins install
	$(PY) -m inpaint_server

coverage: setup  ## the tests again, with the share of lines and branches that they reach (build/coverage)
	$(PY) -m pytest $(PARALLEL) -m "not hosts and not full_disk" --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

docs: setup  ## the documentation as a site, in build/site; a dead link is an error
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet docs build/site

dist: setup  ## what a release consists of, in dist: sdist, wheel, plug-ins, bill of materials, checksums
	scripts/make-dist

fuzz: setup  ## more than 10,000 hostile requests to a real daemon, 10,000 mutated checkpoints, and 10,000 mutated images
	FUZZ_EXAMPLES=1500 $(PY) -m pytest tests/server/wire/test_fuzz.py
	FUZZ_CHECKPOINTS=10000 $(PY) -m pytest tests/model/importing/test_fuzz.py
	FUZZ_PICTURES=10000 $(PY) -m pytest tests/cli/test_fuzz_pictures.py

soak: setup  ## ten minutes of mixed requests from eight clients
	$(PY) -m benchmarks.soak --minutes 10

stress: setup  ## 1 to 64 clients at once, and who waits for whom; some minutes
	$(PY) -m benchmarks.stress

bench: setup  ## speed of every part, printed; never a test
	$(PY) -m benchmarks

clean:  ## remove what the other targets made
	rm -rf .venv build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
