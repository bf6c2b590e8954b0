# make demo [MUTANT=name]   the main job: five Paxos nodes, broken and judged
# make test                 lint, types, import contract and all tests
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed

.PHONY: demo test lint bench clean system-packages

demo: $(READY)
	@$(BIN)/antipaxos run $(if $(MUTANT),--mutant $(MUTANT)) $(ARGS)

test: $(READY) system-packages lint
	$(BIN)/pytest

# One example is written for Node.js. Where it is missing its tests skip, but in CI they must run.
system-packages:
	@if [ "$$CI" = true ] && ! command -v node >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then apt-get update -qq && apt-get install -y -qq nodejs; fi

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build *.egg-info

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Antipaxos needs Python 3.11 or newer; name one with PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
