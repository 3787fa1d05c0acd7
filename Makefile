# Two commands: `make demo` shows tierctl at work on an emulated AWS, `make test` runs all tests. Both need Rust,
# Python 3 and make; everything else is installed below this folder.

VENV := .venv
PYTHON := $(VENV)/bin/python
# The Python that makes the virtual environment.
PYTHON3 ?= python3
CARGO ?= cargo
# One place for builds: the AWS SDK takes minutes to compile.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo sandbox test sample rules check bench scale converge least-privilege fuzz docs clean

demo: $(VENV)/ready
	@test -e $(TARGET)/debug/tierctl || echo "The first build compiles the AWS SDK: 9 to 11 minutes on two cores, later ones seconds."
	$(CARGO) build
	demo/run $(TARGET)/debug/tierctl

# The emulated AWS until Ctrl-C, for specs of your own: `make sandbox PORT=5001` takes another port. It says when it
# answers, which takes a few seconds.
PORT ?= 5000
sandbox: $(VENV)/ready
	$(CARGO) build
	@folder=$$(mktemp -d) || exit; trap 'rm -rf "$$folder"' EXIT; trap 'exit 130' INT TERM; { \
	    until [ -e "$$folder/port" ]; do [ -d "$$folder" ] || exit; sleep 0.2; done; \
	    echo "Ready: an empty account 123456789012, until Ctrl-C. In another terminal, in a folder of your own:"; \
	    echo "  export AWS_ENDPOINT_URL=http://127.0.0.1:$(PORT) AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox"; \
	    echo "  export TIERCTL_API_TIME_SCALE=1000 PATH=$(abspath $(TARGET)/debug):\$$PATH"; \
	    echo "The time scale is for an emulated AWS alone: it speeds up the clock of AWS's request rates."; \
	} & \
	PYTHONPATH=tests $(PYTHON) -m testbed --port $(PORT) --port-file "$$folder/port"

test: $(VENV)/ready
	$(CARGO) test
	PYTHONPATH=tests TIERCTL=$(abspath $(TARGET)/debug/tierctl) $(PYTHON) -m pytest -q tests/testbed/tests tests/convergence/tests \
		tests/pipelines tests/least_privilege/tests

# Of these only the fixed sample of `make converge`, in some five minutes.
sample: $(VENV)/ready
	$(CARGO) build
	PYTHONPATH=tests TIERCTL=$(abspath $(TARGET)/debug/tierctl) $(PYTHON) -m pytest -q tests/convergence/tests/test_sample.py

# Shows that each rule of the emulated AWS matters: a product test passes with it and fails without it.
# `make rules ARGUMENTS="pages role-delay"` does so for some.
rules: $(VENV)/ready
	PYTHONPATH=tests $(PYTHON) -m testbed.rules_matter $(ARGUMENTS)

# What CI checks beside the tests.
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

# The figures that the documents quote; needs a release build. `make bench ARGUMENTS=--markdown` writes docs/figures.md.
bench: $(VENV)/ready
	$(CARGO) build --release
	$(PYTHON) tests/bench/figures.py $(TARGET)/release/tierctl $(ARGUMENTS)

# How tierctl does with up to 5,000 tenants, beside what cannot be beaten and beside Ansible: some half an hour on two cores.
# `make scale ARGUMENTS=--markdown` writes docs/scale.md, `ARGUMENTS=--help` lists the parts, `ARGUMENTS=growth` measures one.
scale: $(VENV)/scale-ready
	$(CARGO) build --release
	$(PYTHON) tests/bench/scale.py $(TARGET)/release/tierctl $(ARGUMENTS)

# Everything that can go wrong while AWS is written to, and a rerun after it: an hour on two cores. It writes
# docs/convergence.md. `make converge ARGUMENTS='--case ...'` tries one case, `ARGUMENTS=--help` says what else there is.
converge: $(VENV)/ready
	$(CARGO) build
	PYTHONPATH=tests $(PYTHON) -m convergence --binary $(TARGET)/debug/tierctl $(or $(ARGUMENTS),--markdown)

# That each command works with just the policy that iam-policy prints, and without any one action of it does not; CI tries
# each action of plan and offboard, and each fourth of the others.
least-privilege: $(VENV)/ready
	$(CARGO) build
	PYTHONPATH=tests $(PYTHON) -m least_privilege --binary $(TARGET)/debug/tierctl $(ARGUMENTS)

# The full run of the specs' fuzzer; CI runs a sample.
fuzz:
	TIERCTL_FUZZ_CASES=100000 $(CARGO) test --release --test spec_fuzz -- --nocapture

# Everything that is generated and checked in: the schemas, the command reference and the spec reference.
docs:
	UPDATE_GENERATED=1 $(CARGO) test --test spec_schema --test documents

$(VENV)/ready: tests/testbed/requirements.txt tests/pipelines/requirements.txt
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: \`make PYTHON3=/path/to/python3 ...\` takes another one." >&2; exit 1; }
	$(PYTHON3) -m venv $(VENV) \
		|| { echo "Python's venv module is needed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	touch $@

# What no other target needs, Ansible among it.
$(VENV)/scale-ready: $(VENV)/ready tests/bench/requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	touch $@

clean:
	$(CARGO) clean
	rm -rf $(VENV)
