# Everything from a fresh clone: `make demo` and `make test` set themselves up in .venv the first time.

VENV      := .venv
BIN       := $(VENV)/bin
INSTALLED := $(VENV)/installed
OUT       ?= out
PYTEST    ?=
# Test files side by side, one for each of up to four processors.
WORKERS   ?= -n logical --maxprocesses 4 --dist loadfile
# Tests of a kind, those that measure time afterwards and by themselves; status 5 says that there are none.
pytest     = $(BIN)/pytest $(WORKERS) -rs -m '$(1) and not timed' $(PYTEST) || [ $$? -eq 5 ] && \
	{ $(BIN)/pytest -rs -m '$(1) and timed' $(PYTEST) || [ $$? -eq 5 ]; }
# Clips and portraits to train on and to measure with; they are no part of this repository.
DATA      ?= $(or $(STYLEHEAT_SHARED),../shared)/data

# The first Python here that is 3.11 or 3.12; `make PYTHON=/path/to/python` to choose another.
PYTHON ?= $(firstword $(foreach python,python3.11 python3.12 python3,\
	$(shell $(python) -c 'import sys; (3, 11) <= sys.version_info < (3, 13) and print("$(python)")' 2>/dev/null)))

.DEFAULT_GOAL := check
.PHONY: check setup demo gallery test quick lint docs bench evaluate dist train-default clean

check: lint quick

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "styleheat needs Python 3.11 or 3.12; name it with make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/styleheat demo --output-dir $(OUT) --overwrite

gallery: $(INSTALLED)
	$(BIN)/styleheat gallery

test: $(INSTALLED)
	$(call pytest,not gpu and not weights)

quick: $(INSTALLED)
	$(call pytest,not gpu and not weights and not slow)

lint: $(INSTALLED)
	$(BIN)/ruff check .

docs: $(INSTALLED)
	$(BIN)/python -m styleheat_cli docs

bench: $(INSTALLED)
	$(BIN)/styleheat bench

evaluate: $(INSTALLED)
	set -e; for recipe in held-out dub edit; do \
		$(BIN)/styleheat evaluate recipes/evaluate/$$recipe.yaml --data $(DATA) \
			--output-dir $(OUT)/evaluate/$$recipe --save recipes/evaluate/$$recipe.json; done

dist: $(INSTALLED)
	$(BIN)/python -m build

train-default: $(INSTALLED)
	set -e; for job in morphable codec calibration attributes speech; do \
		$(BIN)/styleheat run recipes/train/$$job.yaml --set data=$(DATA); done

clean:
	rm -rf $(VENV) build dist $(OUT) .pytest_cache .ruff_cache
