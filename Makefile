# The commands of the course; `make` alone lists them.
#
#   VENV=          use the python on PATH and install nothing (so does an active conda environment)
#   CONSTRAINTS=   install the newest versions that pyproject.toml allows
#   ONLY=name      one part of test-full, bench, precompute or notebooks
#   LAB_ARGS=...   further arguments of `jupyter lab`

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ifeq ($(origin VENV),undefined)
  ifeq ($(filter-out base,$(CONDA_DEFAULT_ENV)),)
    VENV := .venv
  else
    VENV :=
  endif
endif
CONSTRAINTS ?= constraints.txt
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS

SYSTEM_PYTHON := $(shell command -v python3 || command -v python)
ifeq ($(strip $(VENV)),)
  PYTHON := $(shell command -v python || command -v python3)
  # This checkout is the one that counts, whichever copy of the course is installed there.
  export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
  BASE :=
  ALL :=
else
  PYTHON := $(VENV)/bin/python
  # nbgrader and Jupyter call tools of theirs by name.
  export PATH := $(abspath $(VENV))/bin:$(PATH)
  BASE := $(VENV)/.stamp-base
  ALL := $(VENV)/.stamp-all
endif
LISTS := pyproject.toml $(wildcard $(CONSTRAINTS))
EXTRAS := grading,test,site
PYTEST := $(PYTHON) -m pytest
SHOWN := --durations=10 --durations-min=0.5
# What measures time runs alone; then the grader's tests run beside all others.
MARKS := not full and not device
TIMED := bench
GRADER := tests/attacks tests/grading tests/test_grade.py tests/test_variants.py tests/test_mutation.py tests/test_release.py
covered = COVERAGE_FILE="$(CURDIR)/build/.coverage.$(1)" $(PYTEST) $(SHOWN) --cov=companion --cov-report=

.PHONY: help setup lab test test-fast test-full validate notebooks assignments precompute grade bench browser test-device

help:
	@echo 'make lab          set up, then open the course in JupyterLab'
	@echo 'make test         the whole suite (at most 20 minutes on 2 cores)'
	@echo 'make test-fast    the quick part of it (less than 3 minutes)'
	@echo 'make test-full    the deep parts; ONLY=attack, mutation, variants, recomputed, stock, claims, misconception, digit, planted, walk, threads or chapter'
	@echo 'make validate     run every notebook and compare with its stored outputs'
	@echo 'make notebooks    run the chapters in place and store their outputs'
	@echo 'make assignments  regenerate assignments/ from solutions/'
	@echo 'make precompute   redo a stored long computation; ONLY=chapter'
	@echo 'make grade        grade the sample class and print its table'
	@echo 'make bench        benchmarks; ONLY=name'
	@echo 'make browser      drive JupyterLab in headless Chromium'
	@echo 'make test-device  compare this machine'"'"'s accelerator with its CPU'

setup: $(ALL)

lab: $(BASE)
	$(PYTHON) -m companion start
	$(PYTHON) -m jupyter lab $$([ "$$(id -u)" != 0 ] || echo --allow-root) --ServerApp.root_dir="$(CURDIR)/work" \
		--LabApp.default_url=/lab/tree/course/00_start_here.ipynb $(LAB_ARGS)

# Where many tests are of one kind, as the faults planted into a chapter, they take turns.
test: export COMPANION_TURNS := one
test: $(ALL)
	@mkdir -p build; rm -f build/.coverage*; status=0; \
	$(call covered,timed) tests -m '($(TIMED)) and $(MARKS)' || status=1; \
	$(call covered,grader) $(GRADER) -m 'not ($(TIMED)) and $(MARKS)' >build/grader_tests.log 2>&1 & grader=$$!; \
	$(call covered,others) tests $(addprefix --ignore=,$(GRADER)) -m 'not ($(TIMED)) and $(MARKS)' || status=1; \
	wait $$grader || status=1; cat build/grader_tests.log; \
	$(PYTHON) -m coverage combine -q --data-file=build/.coverage build/.coverage.* || status=1; \
	$(PYTHON) -m coverage report --data-file=build/.coverage --skip-covered --fail-under=95 || status=1; \
	exit $$status

test-fast: $(ALL)
	$(PYTEST) tests -m 'not slow and not browser and not bench and not full and not device' $(SHOWN)

test-full: $(ALL)
	$(PYTEST) tests -m '(full or turns) and not device' $(SHOWN) $(if $(ONLY),-k '$(ONLY)')

validate: export COMPANION_PREDICTIONS := off
validate: $(ALL)
	$(PYTEST) --nbval course/ --nbval-sanitize-with course/nbval.cfg
	$(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout 600 solutions/

notebooks: $(ALL)
	$(PYTHON) -m tools.notebooks $(ONLY)

assignments: $(ALL)
	$(PYTHON) -m tools.release

precompute: $(ALL)
	$(PYTHON) -m tools.precompute $(ONLY)

grade: $(ALL)
	$(PYTHON) -m tools.classroom

bench: $(ALL)
	$(PYTHON) -m tools.bench $(ONLY)

browser: $(ALL)
	$(PYTEST) tests/browser -m browser $(SHOWN)

# Installs nothing: torch, torchvision, numpy, scikit-learn and pytest are enough.
test-device:
	@for python in $(if $(VENV),"$(VENV)/bin/python") python python3; do \
		if "$$python" -c 'import pytest, torch' 2>/dev/null; then exec "$$python" -m pytest tests/device -s; fi; \
	done; echo 'No python here has torch and pytest: `make setup` installs both.'; exit 1

# ---- the virtual environment -------------------------------------------------------------------

ifneq ($(strip $(VENV)),)
$(VENV)/bin/python:
	@"$(SYSTEM_PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 to 3.14 is needed; $(SYSTEM_PYTHON) is $$($(SYSTEM_PYTHON) -V)"; exit 1; }
	"$(SYSTEM_PYTHON)" -m venv "$(VENV)"

define install
	@echo 'Installing into $(VENV): about 3 GB to download, $(2) GB on disk (Linux x86-64; most of it CUDA),'
	@echo 'about five minutes on a fast line. README.md says how to install for the CPU alone.'
	"$(PYTHON)" -m pip install --disable-pip-version-check $$([ -t 1 ] || echo --quiet) \
		$(if $(CONSTRAINTS),--constraint "$(CONSTRAINTS)") --editable '.$(1)'
endef

$(BASE): $(LISTS) | $(VENV)/bin/python
	$(call install,,6.1)
	@touch "$@"

$(ALL): $(LISTS) | $(VENV)/bin/python
	$(call install,[$(EXTRAS)],6.7)
	@touch "$(BASE)" "$@"
endif
