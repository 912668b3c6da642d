# Everything a person or a machine does with magnetcast. `make help` lists it.
SHELL := /bin/sh
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# Another Python, beside: make test PYTHON=3.13 VENV=.venv-3.13
PYTHON := python3
VENV := .venv
PY := $(VENV)/bin/python
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One more than there are processors: tests wait for servers and processes they start.
WORKERS = $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))
TESTS := tests
PYTEST = $(PY) -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)
QUICK = -m "not slow" --hypothesis-profile=quick
# Libraries are compiled once, at their first import, and not by each process anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: $(shell grep -oE '^[a-z-]+:' Makefile | tr -d :)

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
	@echo; echo "more"
	@grep -hE '^[a-z-]+:.*#\+' $(MAKEFILE_LIST) | sed -E 's/:.*#\+ /\t/' | expand -t 16

setup: $(READY)  ## Make .venv with the locked packages (uv in its own environment if it is missing)

.uv/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "magnetcast needs python3 3.11 or newer; this is $$(python3 --version 2>&1)."; exit 1; }
	@python3 -m venv .uv || { echo "python3 cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	.uv/bin/python -m pip install --quiet "uv==$(UV_VERSION)"

$(READY): requirements.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@echo "setup     making $(VENV)"
	@test -x $(PY) || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

catalogues: setup  ## Bring the catalogues of the languages up to the sentences in code and templates
	@mkdir -p var
	$(BIN)/pybabel -q extract -F babel.toml -k marked:1,1t -k message --no-location -o var/messages.pot store sources features models publication service flows data scenarios
	for code in de ja ko zh; do $(BIN)/pybabel -q update -N --ignore-obsolete --no-fuzzy-matching -w 100 -i var/messages.pot -l $$code -o publication/language/catalogues/$$code.po; done
	@$(PY) -c 'from publication.language.phrases import LANGUAGES, untranslated; print(*(f"{code}: no translation of {text!r}; shown in English" for code in LANGUAGES if code != "en" for text in untranslated(code)), sep="\n")'

run: setup  ## Run the main job on the bundled facts: ingest, backtest, train, publish, write the site
	$(BIN)/magnetcast run

serve: setup  ## Serve the site, what-if and the stock question on 127.0.0.1:8510
	$(BIN)/magnetcast serve

up: setup  ## Run Prefect's server, its schedule and the service on the loopback until Ctrl-C
	$(BIN)/magnetcast up

test: setup  ## Run the quick tests of every layer (minutes); tests/README.md says which are slow
	$(PYTEST) $(QUICK)

test-all: setup  ## Run every test, the documentation's commands too
	MAGNETCAST_DOCS=all $(PYTEST)

coverage: setup  #+ Run every test and hold the coverage of lines (slow before Python 3.12)
	MAGNETCAST_DOCS=all COVERAGE_CORE=$$($(PY) -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') $(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=95

# Where nothing else runs: more places, or one with AREAS="features/origin.py:216".
SEED := 1
PLACES := 60
AREAS :=
mutants: setup  #+ Put one fault at a time into places drawn by SEED and name those that no quick test notices (an hour)
	PYTHONPATH=. nice -n 10 $(UV) run --quiet --no-project --python $(PY) --with mutmut==3.8.1 python -m tests.mutants --python $(PY) --seed $(SEED) --places $(PLACES) $(if $(MEASURE),--measure) $(AREAS)

faults: setup  #+ Break everything for real (docs/faults.md; the better part of an hour)
	MAGNETCAST_FAULTS=all $(PY) -m pytest -q tests/faults

fake-providers: setup  #+ Serve stand-ins of all providers on 127.0.0.1:8511 and print what to export
	$(PY) -m tests.providers

try-table: setup  #+ Load a made-up partner table into the home var/try, to try --commodity 850511 on (a minute)
	$(PY) -m tests.providers 0 $(BIN)/magnetcast --home var/try ingest comtrade --since 2021-01

check: lint test  ## What to run before a push: format, lint, types, imports, the quick tests

lint: setup  #+ Check format, lint, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup  #+ Look the locked packages up among known vulnerabilities; one that no index knows is an error
	$(UV) tool run pip-audit==2.9.0 --strict --disable-pip --require-hashes --requirement requirements.lock

fmt: setup  ## Format and mend what can be mended by machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: setup  #+ Write the golden numbers and scores anew; say in the commit why they moved
	$(PY) -m tests.golden.rewrite
	MAGNETCAST_GOLDEN=write $(PY) -m pytest -q tests/golden tests/flows/publishing/test_numbers_of_runs.py tests/publication/test_numbers_of_the_site.py

site: setup  #+ Write the site of the newest publications anew
	$(BIN)/magnetcast site

docs: setup  ## Rewrite the catalogue of features in docs/features.md (seconds)
	$(PY) -m docs.catalogue

pictures: setup  #+ Rewrite the documentation's pictures of what is published in the home (make run first)
	$(PY) -m docs.screens

docs-site: setup  #+ Build the documentation's site into var/docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

docs-test: setup  #+ Follow every command of the documentation on the bundled facts (minutes)
	MAGNETCAST_DOCS=all $(PY) -m pytest -q -n auto --dist load tests/docs/test_commands.py

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock: | $(filter .uv/bin/uv,$(UV))  #+ Resolve the packages anew, and those of the image among them
	$(COMPILE) pyproject.toml --extra ops --extra dask --extra dev --output-file requirements.lock
	printf 'hatchling\neditables\n' | $(COMPILE) pyproject.toml - --extra ops --extra dask --constraint requirements.lock --no-annotate --output-file requirements.image.lock

bench: bench-evidence bench-magnets bench-revisions bench-coverage bench-accuracy bench-policy-value  #+ Re-measure accuracy (bench-speed, -run, -service, -store, -scale and -kills measure time and harm)

bench-evidence bench-revisions bench-coverage bench-accuracy bench-speed bench-run bench-scale: bench-%: setup
	$(PY) benchmarks/$*.py

var/peers: benchmarks/peers.txt | $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $@
	$(UV) pip install --quiet --python $@/bin/python -r $<
	@touch $@

bench-magnets: setup var/peers  #+ Replay the magnets over five years and bring the figures of README and docs/accuracy.md up to date (minutes)
	MAGNETCAST_PEERS=$${MAGNETCAST_PEERS:-var/peers/bin/python} $(PY) benchmarks/magnets.py

bench-kills: setup
	MAGNETCAST_FAULTS=all MAGNETCAST_FAULTS_KILLS=250 $(PY) -m pytest -q tests/faults/test_kills.py -k ingest

bench-policy-value: setup
	$(PY) benchmarks/policy_value.py

bench-beat-us: setup  #+ Lay out the task that others may enter, and score the entries that need nothing more
	$(PY) -m benchmarks.beat_us.lay
	$(PY) benchmarks/beat_us/task.py benchmarks/beat_us/entries/seasonal_naive.py var/beat_us/magnetcast.csv

size:  #+ Report lines, modules, functions and names
	@python3 benchmarks/size.py

guard: setup  #+ Count the instructions of the hot paths: a fifth more than before fails, less is printed (valgrind)
	$(PY) benchmarks/guard.py

guard-baseline: setup  #+ Write the counts anew; say in the commit why they moved
	$(PY) benchmarks/guard.py --write

bench-service: setup
	$(PY) benchmarks/serving.py

bench-store: setup
	$(PY) benchmarks/storage.py

release: setup  #+ Build what others install from the last commit, with an SBOM and signed sums: KEY=~/.ssh/releaser
	@test -n "$(KEY)" || { echo "make release KEY=FILE (ssh-keygen -t ed25519 -f FILE makes one)"; exit 1; }
	rm -rf var/release && mkdir -p var/release/tree && git archive HEAD | tar -x -C var/release/tree
	cd var/release/tree && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(abspath $(PY)) -m hatchling build -t wheel -t sdist -d ..
	rm -rf var/release/tree
	$(UV) tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --output-reproducible -o var/release/sbom.cdx.json requirements.lock
	cd var/release && sha256sum * >SHA256SUMS && ssh-keygen -Y sign -f "$(abspath $(KEY))" -n magnetcast SHA256SUMS

fuzz: setup  #+ Hand 50,000 broken files and arguments to every reader and verb (an hour)
	MAGNETCAST_FUZZ=$${MAGNETCAST_FUZZ:-50000} $(PY) -m pytest -q -n 0 tests/property/test_hostile_input.py

clean:  ## Remove the environment and everything made by runs
	rm -rf .venv .uv var mlruns
