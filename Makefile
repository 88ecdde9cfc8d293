# Each target does all of its own set-up. `make help` lists them.

PY := .venv/bin/python
# One worker per core, each of more than 1 GB. Files are not split, so that fixtures are made once.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

.PHONY: test-cluster help setup protos plugins check check-workflows format reference test test-fast test-gpu test-hosts test-hosts-next test-dependencies fuzz soak stress test-container buf coverage docs dist demo run bench clean

help:  ## list all targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup:  ## create the virtual environment, with torch for this machine's GPU or CPU
	@scripts/setup

protos: setup  ## compile the protobuf files, after editing them
	$(PY) protos/hatch_build.py

plugins: setup  ## build the zips for Krita and GIMP in build/plugins
	$(PY) plugins/build.py

check: setup check-workflows  ## check format, lint, types and workflows
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

check-workflows: setup  ## check GitHub workflows and forms against their schemas, and for security
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	.venv/bin/zizmor --offline --quiet .github

format: setup  ## format the code and fix lint errors with ruff
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

reference: setup  ## write docs/schemas and the generated pages of docs/reference, after editing what they show
	$(PY) scripts/write-schemas
	$(PY) scripts/write-reference

test: setup  ## run all tests that need neither Krita nor GIMP
	$(PY) -m pytest $(PARALLEL) -m "not hosts"

test-fast: setup  ## run the tests under half a second that start no daemon or command; takes a minute
	$(PY) -m pytest $(PARALLEL) -m "not hosts and not slow" \
		--ignore tests/cli --ignore tests/server/wire --ignore tests/server/daemon

test-gpu: setup  ## run the tests that need a GPU; they fail without one
	REQUIRE_GPU=1 $(PY) -m pytest -m gpu tests/model tests/server

test-hosts: setup  ## test the plug-ins in real Krita and GIMP, after installing them (Debian, root)
	@scripts/setup-hosts
	@scripts/setup-hosts unstable optional
	REQUIRE_HOSTS=1 $(PY) -m pytest tests/hosts -k "not unstable"
	REQUIRE_HOSTS=1 $(PY) -m pytest tests/hosts -k unstable -m next_host

test-hosts-next: setup  ## run all of them in Krita 6 and GIMP 3.2 from Debian unstable
	@scripts/setup-hosts unstable
	REQUIRE_HOSTS=1 $(PY) -m pytest tests/hosts -k unstable

test-dependencies: setup  ## test the lowest and the newest versions that pyproject.toml allows
	scripts/test-dependencies lowest newest

test-cluster: setup  ## test several daemons behind Envoy, and replicas of Ray Serve, after installing both
	$(PY) -m pip install --disable-pip-version-check -q -c constraints.txt --group cluster
	REQUIRE_CLUSTER=1 $(PY) -m pytest tests/cluster

test-container: setup  ## build the container image with podman and test it
	PYTHONPATH=tests/support scripts/test-container

buf: setup  ## lint the protobuf files with buf, installed from npm
	npm install --prefix build/buf --no-save --silent --ignore-scripts @bufbuild/buf@1.75.0
	BUF=build/buf/node_modules/.bin/buf $(PY) -m pytest tests/test_contract.py

demo: setup  ## start a daemon, fill the example image, stop the daemon
	$(PY) examples/demo.py

run: setup plugins  ## install the plug-ins into Krita and GIMP, and run the daemon in the foreground
	-$(PY) -m inpaint_cli plugins install
	$(PY) -m inpaint_server

coverage: setup  ## run the tests and measure their coverage of lines and branches (build/coverage)
	$(PY) -m pytest $(PARALLEL) -m "not hosts and not full_disk" --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

docs: setup  ## build the documentation as a site in build/site; a dead link is an error
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet docs build/site

dist: setup  ## build a release in dist: sdist, wheel, plug-ins, bill of materials, checksums
	scripts/make-dist

fuzz: setup  ## send over 10,000 hostile requests to a daemon, read 10,000 mutated checkpoints and images each
	FUZZ_EXAMPLES=1500 $(PY) -m pytest tests/server/wire/test_fuzz.py
	FUZZ_CHECKPOINTS=10000 $(PY) -m pytest tests/model/importing/test_fuzz.py
	FUZZ_PICTURES=10000 $(PY) -m pytest tests/cli/test_fuzz_pictures.py

soak: setup  ## send mixed requests from eight clients for ten minutes
	$(PY) -m benchmarks.soak --minutes 10

stress: setup  ## measure waiting times with 1 to 64 clients; takes some minutes
	$(PY) -m benchmarks.stress

bench: setup  ## measure and print the speed of every part
	$(PY) -m benchmarks

clean:  ## remove the results of the other targets
	rm -rf .venv build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
