# `make test` only needs Python 3.11 or newer. It installs everything into .venv. A stamp file for each
# dependency group makes the second run quick.

PYTHON ?= python3
LOCK := constraints/ci.txt
# All packages have the versions of the lock file, so that two runs of a commit give the same result.
# `make test NEWEST=1` installs the newest versions, into another environment.
ifdef NEWEST
VENV := build/newest
else
VENV := .venv
export PIP_CONSTRAINT := $(LOCK)
export PIP_BUILD_CONSTRAINT := $(LOCK)
endif
# Arguments for pytest. Three tests at the same time take 22 minutes on two cores, because many wait
# for processes. For example:
# make test PYTEST_ARGS="-n 4 -k sampler"
PYTEST_ARGS ?= -n 3

ifeq ($(OS),Windows_NT)
BIN := Scripts
else
BIN := bin
endif
PY := $(VENV)/$(BIN)/python
OLDEST := build/oldest
OLDEST_PY := $(OLDEST)/$(BIN)/python
CLEAN_ROOM := build/clean-room
CLEAN_ROOM_PY := $(CLEAN_ROOM)/$(BIN)/python
DIST := build/dist
KERNELS := setup.py $(wildcard src/imageloom/_imaging/kernels/*.[ch])

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := test
.PHONY: test quick lint format docs coverage test-long test-marked-long test-dist test-oldest test-pythons
.PHONY: demo examples bench bench-quick hooks lock changelog clean distclean
# Two targets must not install into the same environment at the same time.
.NOTPARALLEL:

test: lint docs $(VENV)/stamp-test $(VENV)/stamp-tf-keras $(VENV)/stamp-axe
	$(PY) -m pytest $(PYTEST_ARGS)

# What to run at each save. No framework is installed for it, nor used if one is there.
quick: $(VENV)/stamp-quick
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m pytest -q --without-frameworks -m "not (long or slow)" $(PYTEST_ARGS)

lint: $(VENV)/stamp-lint
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m basedpyright --pythonpath $(PY)
	$(VENV)/$(BIN)/clang-format --dry-run --Werror $(filter %.c %.h,$(KERNELS))
	$(VENV)/$(BIN)/lint-imports

format: $(VENV)/stamp-lint
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .
	$(VENV)/$(BIN)/clang-format -i $(filter %.c %.h,$(KERNELS))

# Always builds all pages, because Sphinx does not repeat warnings of unchanged pages.
docs: $(VENV)/stamp-docs
	rm -rf build/docs build/doctrees
	$(PY) -m sphinx -q -n -W --keep-going -d build/doctrees docs build/docs
	$(PY) tools/check_site.py build/docs

# These look at what a program imports, and at what it writes when the disk is full: coverage does both, too.
MEASURING_DISTURBS := tests/cli/test_command_line.py::test_help_loads_nothing_heavy \
	tests/pipeline/test_shared_cache.py::test_a_full_disk_only_ends_the_keeping

# Runs the tests and measures which lines run, also in workers; pyproject.toml has the limit.
coverage: $(VENV)/stamp-test $(VENV)/stamp-tf-keras $(VENV)/stamp-coverage
	rm -rf build/coverage
	mkdir -p build/coverage
	$(PY) -m coverage run -m pytest $(PYTEST_ARGS) $(addprefix --deselect ,$(MEASURING_DISTURBS))
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage html --quiet --fail-under 0
	$(PY) -m coverage report

test-long: test-marked-long test-dist test-oldest

test-marked-long: docs $(VENV)/stamp-test $(VENV)/stamp-tf-keras $(VENV)/stamp-axe
	$(PY) -m pytest -m long --timeout 1800 $(PYTEST_ARGS)

# Builds the source distribution, the wheel for all systems and the one with kernels for this system, checks
# their files, and runs the main job with each of them.
test-dist: $(VENV)/stamp-dist
	rm -rf $(DIST) $(CLEAN_ROOM)
	IMAGELOOM_PURE=1 $(PY) -m build --outdir $(DIST)
	$(PY) -m pip wheel --quiet --no-deps --wheel-dir $(DIST)/compiled $(DIST)/imageloom-*.tar.gz
	$(PY) -m twine check --strict $(DIST)/imageloom-* $(DIST)/compiled/*
	$(PY) tools/check_distributions.py $(DIST)
	$(PYTHON) -m venv $(CLEAN_ROOM)
	$(CLEAN_ROOM_PY) -m pip install --quiet $(DIST)/imageloom-*.whl
	$(CLEAN_ROOM_PY) -m pip check
	$(CLEAN_ROOM_PY) -I tools/main_job.py
	$(CLEAN_ROOM_PY) -m pip install --quiet --force-reinstall --no-deps $(DIST)/compiled/imageloom-*.whl
	$(CLEAN_ROOM_PY) -I tools/main_job.py
	$(CLEAN_ROOM_PY) -m pip install --quiet --force-reinstall --no-deps $(DIST)/imageloom-*.tar.gz
	$(CLEAN_ROOM_PY) -I tools/main_job.py

# Old releases of other libraries may warn, so warnings are not errors here.
test-oldest: $(OLDEST)/stamp
	KERAS_BACKEND=jax $(OLDEST_PY) -m pytest -W default $(PYTEST_ARGS)

# `make quick` with each supported Python that this machine has.
test-pythons:
	$(PYTHON) tools/pythons.py

demo: $(VENV)/stamp-demo
	KERAS_BACKEND=$${KERAS_BACKEND:-jax} $(PY) examples/demo.py

# Each example trains a model, and fails if the model is poor.
examples: $(VENV)/stamp-demo
	KERAS_BACKEND=$${KERAS_BACKEND:-jax} $(PY) examples/segmentation.py
	KERAS_BACKEND=$${KERAS_BACKEND:-jax} $(PY) examples/tinyml.py
	KERAS_BACKEND=$${KERAS_BACKEND:-jax} $(PY) examples/unclean_folder.py

# Takes an hour and a half on two cores; each script can be run alone.
bench: $(VENV)/stamp-bench $(VENV)/stamp-tf-keras
	$(PY) benchmarks/origin.py
	$(PY) benchmarks/options.py --keras
	$(PY) benchmarks/compare.py
	$(PY) benchmarks/overhead.py
	$(PY) benchmarks/steps.py
	$(PY) benchmarks/growth.py
	$(PY) benchmarks/listing.py
	$(PY) benchmarks/end_to_end.py
	$(PY) benchmarks/cluster.py
	$(PY) benchmarks/clients.py

# Whether a ratio fell against the results of `bench`: under five minutes on two cores.
bench-quick: $(VENV)/stamp-bench $(VENV)/stamp-tf-keras
	$(PY) benchmarks/quick.py

# Makes Git check every commit.
hooks: $(VENV)/stamp-lint $(VENV)/stamp-hooks
	$(PY) -m pre_commit install

# Finds the newest versions for all Pythons and systems. No other target writes this file.
lock: $(VENV)/stamp-lock
	$(PY) tools/lock.py $(LOCK)

# Moves the fragments in changes/ to a new section of CHANGELOG.md, for the current version.
changelog: $(VENV)/stamp-changelog
	$(PY) -m towncrier build --yes

# Removes build products and caches. `make distclean` also removes the environment.
clean:
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find benchmarks examples src tests tools -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) src/*.egg-info src/imageloom/_imaging/kernels/*.so

# Checks for Python 3.11, then creates or updates the environment. Groups need pip 25.1.
$(VENV)/stamp-venv: $(LOCK)
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('imageloom needs Python 3.11 or newer, but $(PYTHON) is ' + sys.version.split()[0] + '; name another one: make PYTHON=python3.12')"
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet "pip>=25.1"
	touch $@

# One stamp for each dependency group of pyproject.toml. Each installation compiles the kernels.
$(VENV)/stamp-%: pyproject.toml $(KERNELS) $(LOCK) $(VENV)/stamp-venv
	$(PY) -m pip install --quiet --editable . --group $*
	touch $@

# tf_keras requires `tensorflow`, which would overwrite the files of `tensorflow-cpu`.
$(VENV)/stamp-tf-keras: pyproject.toml $(LOCK) $(VENV)/stamp-venv
	$(PY) -m pip install --quiet --no-deps --group tf-keras
	touch $@

# Only its script is needed, not the browser that it would drive.
$(VENV)/stamp-axe: pyproject.toml $(LOCK) $(VENV)/stamp-venv
	$(PY) -m pip install --quiet --no-deps --group axe
	touch $@

$(OLDEST)/stamp: pyproject.toml constraints/oldest.txt $(VENV)/stamp-venv
	rm -rf $(OLDEST)
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST_PY) -m pip install --quiet "pip>=25.1"
	PIP_CONSTRAINT=constraints/oldest.txt $(OLDEST_PY) -m pip install --quiet \
		--editable ".[arrow,hdf5,jax,keras,pandas,ray,remote,splines,tensorflow,tf-keras,tiff,torch]" --group test-core
	touch $@
