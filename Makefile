# make demo [MUTANT=name]   the main job: five Paxos nodes, broken and judged
# make test                 lint, types, import contract and all tests
# make swarm [SEEDS=n]      the unbroken reference through so many simulated runs
# make docs                 the documents as a site: build/docs/index.html
# make mutants [ARGS=...]   every broken reference hunted by every scheduler, and a page of it
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
ENGINE := checkers/engine
CARGO := cargo --quiet
RUST := $(shell find $(ENGINE)/src -name '*.rs') $(ENGINE)/Cargo.toml $(ENGINE)/Cargo.lock

SEEDS ?= 2000
.PHONY: demo test docs swarm mutants test-engine lint lint-engine bench clean system-packages

demo: $(READY)
	@$(BIN)/antipaxos run $(if $(MUTANT),--mutant $(MUTANT)) $(ARGS)

test: $(READY) system-packages lint test-engine
	$(BIN)/pytest -n 2

# What the tests meet for real: systems to break, hosts to reach, and what breaks them. Where one is
# missing its tests skip with the reason, but in CI they must run.
PACKAGES := nodejs etcd-server zookeeper default-jre-headless openssh-server nftables iproute2 \
            ethtool faketime fuse3 chromium golang-go
system-packages:
	@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  ! dpkg --status $(PACKAGES) >/dev/null 2>&1; \
	then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGES); fi

lint: $(READY) lint-engine
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The engine is optional: without Rust it is left out, which is said, and pytest skips the tests of
# its Python face; with Rust it must have been built.
lint-engine:
	@if command -v cargo >/dev/null; then cd $(ENGINE) && $(CARGO) fmt --check && \
	  $(CARGO) clippy --locked --all-targets --features python -- --deny warnings; \
	else echo 'No cargo: the engine in $(ENGINE) is not linted.'; fi

test-engine:
	@if command -v cargo >/dev/null; then (cd $(ENGINE) && $(CARGO) test --locked) && \
	  $(BIN)/python -c 'from checkers.linearizability import engine; assert engine.available(), engine.describe()'; \
	else echo 'No cargo: the engine in $(ENGINE) is not tested.'; fi

swarm: $(READY)
	$(BIN)/antipaxos simulate --seeds $(SEEDS)

mutants: $(READY)
	@mkdir -p antipaxos-runs
	$(BIN)/antipaxos mutants --html antipaxos-runs/mutants.html $(ARGS)

docs: $(READY)
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs 2 -d build/doctrees -c docs . build/docs
	@echo build/docs/index.html

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build *.egg-info $(ENGINE)/target checkers/_engine.*.so

$(READY): pyproject.toml $(RUST)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Antipaxos needs Python 3.11 or newer; name one with PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/python -c 'from checkers.linearizability import engine; print(engine.describe())'
	@touch $@
