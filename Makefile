# Two commands: `make demo` shows tierctl at work on an emulated AWS, `make test` runs all tests. Both need Rust,
# Python 3 and make; everything else is installed below this folder.

VENV := .venv
PYTHON := $(VENV)/bin/python
# One place for builds: the AWS SDK takes minutes to compile.
CARGO ?= cargo

.PHONY: demo test check bench fuzz docs clean

demo: $(VENV)/ready
	$(CARGO) build --quiet
	demo/run

test: $(VENV)/ready
	$(CARGO) test
	PYTHONPATH=tests $(PYTHON) -m pytest -q tests/testbed/tests

# What CI checks beside the tests.
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

# Figures that the documents quote; needs a release build.
bench: $(VENV)/ready
	$(CARGO) build --release
	$(PYTHON) tests/bench/figures.py target/release/tierctl

# The full run of the specs' fuzzer; CI runs a sample.
fuzz:
	TIERCTL_FUZZ_CASES=100000 $(CARGO) test --release --test spec_fuzz -- --nocapture

# Everything that is generated: schemas, command and spec reference, man pages, completions.
docs:
	UPDATE_GENERATED=1 $(CARGO) test --test spec_schema --test documents

$(VENV)/ready: tests/testbed/requirements.txt
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

clean:
	rm -rf $(VENV) target
